//! The samples of all rounds, and the figures computed from them.

use crate::load::Load;
use crate::sample::{Figure, Sample};
use crate::subject::Subject;

/// A server under a load.
pub(crate) type Case = (Subject, Load);

/// The samples, by case and round.
#[derive(Default)]
pub(crate) struct Results {
    cases: Vec<(Case, Vec<(usize, Sample)>)>,
}

/// How one case's figure compares with another's.
pub(crate) struct Ratio {
    /// The ratio of each round. The median of these counts: a virtual machine has slow
    /// phases of seconds, in which datagrams between its cores cost half to two thirds more,
    /// and the medians of two servers may fall into different phases.
    pub(crate) rounds: Spread,
    /// Of the medians of all rounds.
    pub(crate) of_medians: f64,
}

/// A number for each round.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        (!numbers.is_empty()).then_some(Self { sorted: numbers })
    }

    pub(crate) fn median(&self) -> f64 {
        let half = self.sorted.len() / 2;
        if self.sorted.len() % 2 == 1 {
            self.sorted[half]
        } else {
            f64::midpoint(self.sorted[half - 1], self.sorted[half])
        }
    }

    pub(crate) fn least(&self) -> f64 {
        self.sorted[0]
    }

    pub(crate) fn greatest(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }
}

impl Results {
    pub(crate) fn add(&mut self, case: Case, round: usize, sample: Sample) {
        match self.cases.iter_mut().find(|(known, _)| *known == case) {
            Some((_, samples)) => samples.push((round, sample)),
            None => self.cases.push((case, vec![(round, sample)])),
        }
    }

    /// The samples of a case, each with its round.
    fn samples(&self, case: Case) -> &[(usize, Sample)] {
        let found = self.cases.iter().find(|(known, _)| *known == case);
        found.map_or(&[], |(_, samples)| samples)
    }

    /// The samples that count.
    fn valid(&self, case: Case) -> impl Iterator<Item = &(usize, Sample)> {
        self.samples(case).iter().filter(|(_, sample)| !sample.is_void())
    }

    /// The figure in the samples that count.
    pub(crate) fn figure(&self, case: Case, figure: Figure) -> Option<Spread> {
        Spread::of(self.valid(case).filter_map(|(_, sample)| sample.figure(figure)).collect())
    }

    /// The figure in all samples, to be looked at.
    pub(crate) fn shown(&self, case: Case, figure: Figure) -> Option<Spread> {
        let figures = self.samples(case).iter().filter_map(|(_, sample)| sample.figure(figure));
        Spread::of(figures.collect())
    }

    /// How many samples do not count.
    pub(crate) fn void(&self, case: Case) -> usize {
        self.samples(case).len() - self.valid(case).count()
    }

    /// The figure of one case divided by that of another.
    pub(crate) fn ratio(&self, figure: Figure, part: Case, whole: Case) -> Option<Ratio> {
        let medians = [self.figure(part, figure)?.median(), self.figure(whole, figure)?.median()];
        let ratios = self.valid(part).filter_map(|(round, sample)| {
            let (_, base) = self.valid(whole).find(|(other, _)| other == round)?;
            Some(sample.figure(figure)? / base.figure(figure)?)
        });
        Some(Ratio { of_medians: medians[0] / medians[1], rounds: Spread::of(ratios.collect())? })
    }

    /// Requests lost in all rounds, and replies that came too late.
    pub(crate) fn lost_and_stray(&self, case: Case) -> (u64, u64) {
        self.samples(case).iter().fold((0, 0), |(lost, stray), (_, sample)| {
            (lost + sample.tally.lost, stray + sample.tally.stray)
        })
    }
}

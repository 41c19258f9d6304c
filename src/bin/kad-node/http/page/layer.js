// The shapes of one kind, as a list says: new ones are made, those that are gone removed, and of
// the others only what differs is written. So 500 nodes cost no more than what changes.
class Layer {
  constructor(tag, parent, name) {
    this.tag = tag;
    this.at = shape('g', name ? {class: name} : {}, parent);
    this.all = new Map();
  }
  // `list` has [key, attributes, text] of each shape.
  draw(list) {
    const gone = new Set(this.all.keys());
    for (const [key, attributes, text] of list) {
      gone.delete(key);
      let one = this.all.get(key);
      if (!one) {
        one = {shape: shape(this.tag, {}, this.at), is: {}};
        this.all.set(key, one);
      }
      for (const name in attributes) {
        const value = String(attributes[name]);
        if (one.is[name] === value) continue;
        one.is[name] = value;
        one.shape.setAttribute(name, value);
      }
      if (text !== undefined && one.text !== text) one.shape.textContent = one.text = text;
    }
    for (const key of gone) {
      this.all.get(key).shape.remove();
      this.all.delete(key);
    }
  }
}

// Chance as an argument: every generator is a function of (seed, name, step), as in the
// package, so a run can be reset, stepped and repeated, and gives the same numbers each time.
"use strict";
globalThis.Explainer = globalThis.Explainer || {};
(function (explainer) {
  // FNV-1a over the text, started anew for each of the four words of the state.
  function hashed(text, salt) {
    let hash = 0x811c9dc5 ^ salt;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    }
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x2c1b3c6d) >>> 0;
  }

  class Stream {
    constructor(text) {
      this.a = hashed(text, 1);
      this.b = hashed(text, 2);
      this.c = hashed(text, 3);
      this.counter = 1;
      this.spare = null;
      for (let i = 0; i < 12; i++) this.word();
    }

    // One step of sfc32 (Doty-Humphrey's small fast counting generator): 32 random bits.
    word() {
      const sum = (this.a + this.b + this.counter) | 0;
      this.counter = (this.counter + 1) | 0;
      this.a = this.b ^ (this.b >>> 9);
      this.b = (this.c + (this.c << 3)) | 0;
      this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
      return sum >>> 0;
    }

    // Evenly in 0 (included) to 1 (excluded).
    uniform() {
      return this.word() / 4294967296;
    }

    // Mean 0, deviation 1 (Box and Muller 1958; two at a time).
    normal() {
      if (this.spare !== null) {
        const value = this.spare;
        this.spare = null;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
      const angle = 2 * Math.PI * this.uniform();
      this.spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    }

    normals(count) {
      return Float64Array.from({ length: count }, () => this.normal());
    }
  }

  explainer.stream = (seed, name, step = 0) => new Stream(`${seed}/${name}/${step}`);
})(globalThis.Explainer);

// Copyright 2026 The gd_jax Authors.
// SPDX-License-Identifier: Apache-2.0
// BERT's normalizer and WordPiece, by tables that were made with the model.

/** Whether `point` lies in [first, last, first, last, ...]. */
function within(ranges, point) {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (point < ranges[2 * middle]) high = middle;
    else if (point > ranges[2 * middle + 1]) low = middle + 1;
    else return true;
  }
  return false;
}

export class Tokenizer {
  /** @param words The contents of words.json. */
  constructor(words) {
    this.words = words;
    this.ids = new Map(
      words.pieces.flatMap((pieces, id) => [pieces].flat().map((p) => [p, id])),
    );
    this.changed = new Map(Object.entries(words.characters.changed));
  }

  /** The ids of a text as the student was trained to read them; never empty. */
  encode(text) {
    const { max_tokens, unk_id } = this.words;
    const ids = [];
    for (const word of this.split(this.normalize(text))) {
      for (const id of this.pieces(word)) ids.push(id || unk_id);
      if (ids.length >= max_tokens) break;
    }
    return ids.length ? ids.slice(0, max_tokens) : [unk_id];
  }

  normalize(text) {
    const { dropped, spaced, hangul } = this.words.characters;
    let normal = "";
    // Half a surrogate pair is no character; U+FFFD stands for it.
    for (const given of text) {
      const half = given.length === 1 && /[\ud800-\udfff]/.test(given);
      const character = half ? "\ufffd" : given;
      const point = character.codePointAt(0);
      if (this.changed.has(character)) normal += this.changed.get(character);
      else if (within(dropped, point)) continue;
      else if (within(spaced, point)) normal += ` ${character} `;
      else if (hangul && point >= 0xac00 && point <= 0xd7a3) {
        normal += character.normalize("NFD");
      } else normal += character;
    }
    return normal;
  }

  split(text) {
    const { gaps, alone } = this.words.characters;
    const found = [];
    let word = "";
    const end = () => {
      if (word) found.push(word);
      word = "";
    };
    for (const character of text) {
      const point = character.codePointAt(0);
      if (within(gaps, point)) end();
      else if (within(alone, point)) {
        end();
        found.push(character);
      } else word += character;
    }
    end();
    return found;
  }

  /** The longest known pieces from the left; one unknown if that fails. */
  pieces(word) {
    const { prefix, unk_id, max_characters } = this.words;
    const letters = [...word];
    if (letters.length > max_characters) return [unk_id];
    const ids = [];
    for (let start = 0; start < letters.length; ) {
      let id;
      let end = letters.length;
      for (; end > start; end--) {
        const piece = letters.slice(start, end).join("");
        id = this.ids.get(start ? prefix + piece : piece);
        if (id !== undefined) break;
      }
      if (id === undefined) return [unk_id];
      ids.push(id);
      start = end;
    }
    return ids;
  }
}

/** The signs of rows on the map, for legends and lists; the map draws the same in web/js/map/rows.js. */

import { svg } from '../ui/dom.js';

/** @typedef {import('../types').RowMark} RowMark */

/** Outlines on a grid of 20 x 20. @type {Record<RowMark, string>} */
const OUTLINES = {
  first: 'M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12z',
  second: 'M10 2 18 10 10 18 2 10z',
  added: 'M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12z',
  changed: 'M10 2 18 10 10 18 2 10z',
  closed: 'M3 6 6 3 10 7 14 3 17 6 13 10 17 14 14 17 10 13 6 17 3 14 7 10z',
  refused: 'M10 2.5 17.5 16h-15z',
};

/** @param {RowMark} mark */
export function sign(mark) {
  return svg('svg', { class: `row-sign row-${mark}`, viewBox: '0 0 20 20', 'aria-hidden': 'true', focusable: 'false' }, svg('path', { d: OUTLINES[mark] }));
}

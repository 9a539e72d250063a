/** The patterns that areas of a verdict are filled with, so that colour is never the only sign. */

import { svg } from './dom.js';

/** Ground, stroke and its path on a cell of 8 by 8, by verdict. @type {[string, string, string][]} */
const PATTERNS = [
  ['conflict', '#c8463d', 'M-2,2L2,-2M0,8L8,0M6,10L10,6'],
  ['unknown', '#7b769a', 'M2,2h.1M6,6h.1'],
  ['edge', '#e69a1c', 'M-2,6L2,10M0,0L8,8M6,-2L10,2'],
  ['clear', '#3c9a63', ''],
];

/** An invisible drawing that holds the patterns `pattern-conflict` and so on. */
export function verdictPatterns() {
  return svg('svg', { class: 'patterns', 'aria-hidden': 'true' }, svg('defs', {}, ...PATTERNS.map(([verdict, ground, strokes]) =>
    svg(
      'pattern', { id: `pattern-${verdict}`, width: 8, height: 8, patternUnits: 'userSpaceOnUse' },
      svg('rect', { width: 8, height: 8, fill: ground }),
      svg('path', { d: strokes, stroke: '#fff', 'stroke-width': verdict === 'unknown' ? 2.4 : 1.6, 'stroke-linecap': 'round', fill: 'none' }),
    ))));
}

/** From a click to what it means: a cluster to open, one feature, several to choose from, or nothing. */

/** @typedef {import('../types').Box} Box */
/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Picked} Picked */

const AREA = 3;

/**
 * What a click means. Areas that only orient (context layers) count when nothing else is there; a feature met
 * twice, in two pieces of a tile, counts once.
 * @param {readonly Picked[]} picked from the top to the bottom of the drawing
 * @param {ReadonlyMap<string, Layer>} layers
 * @returns {Picked[]}
 */
export function meant(picked, layers) {
  /** @type {Map<string, Picked>} */
  const once = new Map();
  for (const each of picked) {
    const { uid } = each.properties;
    const key = `${each.layer}/${uid ?? each.properties['bbox']}`;
    if (!once.has(key)) once.set(key, each);
  }
  const found = [...once.values()];
  const orienting = (/** @type {Picked} */ each) => each.geometry === AREA && layers.get(each.layer)?.role === 'context';
  const telling = found.filter((each) => !orienting(each));
  return telling.length ? telling : found.slice(0, 1);
}

/** How many features a drawn symbol stands for. @param {Picked} picked */
export const countOf = (picked) => Number(picked.properties['n'] ?? 1);

/**
 * The box that a cluster carries in its attributes, in degrees: "west,south,east,north".
 * @param {import('../types').Properties} properties
 * @returns {Box}
 */
export function clusterBox(properties) {
  const [west = 0, south = 0, east = 0, north = 0] = String(properties['bbox'] ?? '').split(',').map(Number);
  return [west, south, east, north];
}

/**
 * Whether coming closer would not take a cluster apart: its members stand within some metres of each other.
 * @param {Box} box in degrees
 */
export function atOnePlace([west, south, east, north]) {
  return east - west < 1e-4 && north - south < 1e-4;
}

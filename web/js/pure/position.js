/** A position typed by hand. */

/**
 * Two numbers as longitude and latitude, whichever comes first: the order that falls into the extent wins.
 * @param {string} text "119.65, 29.08" or "29.08 119.65" or with N/E
 * @param {import('../types').Box} extent in degrees
 * @returns {{lon: number, lat: number} | null}
 */
export function parsePosition(text, extent) {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*°?\s*[NEne东北]?\s*[,，;\s]\s*(-?\d+(?:\.\d+)?)\s*°?\s*[NEne东北]?\s*$/.exec(text);
  if (!match) return null;
  const [a, b] = [Number(match[1]), Number(match[2])];
  /** @param {number} lon @param {number} lat */
  const inside = (lon, lat) => lon >= extent[0] && lon <= extent[2] && lat >= extent[1] && lat <= extent[3];
  if (inside(b, a) && !inside(a, b)) return { lon: b, lat: a };
  return Math.abs(a) <= 180 && Math.abs(b) <= 90 ? { lon: a, lat: b } : null;
}

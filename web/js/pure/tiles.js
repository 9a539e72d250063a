/** Arithmetic of Web Mercator tiles. */

/** @typedef {import('../types').Box} Box */

/**
 * The box of a tile in degrees.
 * @param {number} z
 * @param {number} x
 * @param {number} y
 * @returns {Box}
 */
export function tileBox(z, x, y) {
  const size = 2 ** z;
  return [(x / size) * 360 - 180, latitude((y + 1) / size), ((x + 1) / size) * 360 - 180, latitude(y / size)];
}

/** @param {number} fraction from the top of the square world, 0 to 1 */
function latitude(fraction) {
  return (Math.atan(Math.sinh(Math.PI * (1 - 2 * fraction))) * 180) / Math.PI;
}

/**
 * Whether a tile can hold anything of an extent; tiles reach a sixteenth over their rim, for symbols.
 * @param {number} z
 * @param {number} x
 * @param {number} y
 * @param {Box | null} extent in degrees; null = not known
 */
export function tileMeets(z, x, y, extent) {
  if (!extent) return true;
  const [west, south, east, north] = tileBox(z, x, y);
  const rim = (east - west) / 16;
  return west - rim <= extent[2] && east + rim >= extent[0] && south - rim <= extent[3] && north + rim >= extent[1];
}

/**
 * A step of the graticule, in degrees, that keeps its lines some 80 to 250 pixels apart.
 * @param {number} zoom
 */
export function graticuleStep(zoom) {
  const degreesPerPixel = 360 / (256 * 2 ** zoom);
  const steps = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30];
  return steps.find((step) => step / degreesPerPixel >= 100) ?? 45;
}

/** Names on the map: which layers are labelled, from which zoom, and where the name of an area stands. */

/** @typedef {import('../globals').LabelRule} LabelRule */
/** @typedef {import('../globals').TileFeature} TileFeature */
/** @typedef {import('../globals').TilePoint} TilePoint */
/** @typedef {import('../types').Layer} Layer */

const FAMILY = 'system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';
/** The name of one area stands at least this far from itself, in pixels. */
const REPEAT = 700;
const HALO = 'rgba(255,255,255,0.92)';

/**
 * Rules for the names of the layers given; earlier ones win where names collide.
 * Context layers orient the reader and are named early, the rest when one has come close.
 * @param {readonly Layer[]} layers
 * @returns {LabelRule[]}
 */
export function labelRules(layers) {
  return layers
    .filter((layer) => layer.names.label && layer.role !== 'derived')
    .map((layer) => ({ layer, early: layer.role === 'context' }))
    .sort((a, b) => Number(b.early) - Number(a.early) || a.layer.order - b.layer.order)
    .flatMap(({ layer, early }) => rulesOf(layer, early));
}

/** @param {Layer} layer @param {boolean} early @returns {LabelRule[]} */
function rulesOf(layer, early) {
  const look = {
    labelProps: ['label'],
    fontFamily: FAMILY,
    fontWeight: early ? 400 : 600,
    fontSize: early ? 12 : 11.5,
    fill: early ? '#3f524e' : '#1d2b29',
    stroke: HALO,
    lineHeight: 1.5,
  };
  const shared = { dataSource: layer.id, dataLayer: layer.id, maxzoom: layer.zoom.max };
  const near = (/** @type {number} */ from) => Math.max(layer.zoom.min, from);
  const offset = (layer.style.size ?? 5) + 9;
  /** @param {1 | 2 | 3} type */
  const only = (type) => (/** @type {number} */ _zoom, /** @type {TileFeature} */ feature) =>
    feature.geomType === type && Number(feature.props['n'] ?? 1) < 2;
  return [
    {
      ...shared, minzoom: near(early ? 9 : 13), filter: only(1),
      symbolizer: new protomapsL.OffsetTextSymbolizer({ ...look, width: 1.5, offsetY: offset, placements: [5], maxLineChars: 14 }),
    },
    { ...shared, minzoom: near(early ? 10 : 12), filter: only(2), symbolizer: new protomapsL.LineLabelSymbolizer({ ...look, width: 3, fill: layer.style.colour ?? look.fill }) },
    { ...shared, minzoom: near(early ? 8 : 12), filter: only(3), symbolizer: areaLabel(look, early) },
  ];
}

/**
 * The name of an area at the centroid of its largest ring, where the ring is wide enough for it.
 * @param {Record<string, unknown>} look
 * @param {boolean} wide letters apart, as for administrative areas
 */
function areaLabel(look, wide) {
  const centred = /** @type {any} */ (
    new protomapsL.CenteredTextSymbolizer({ ...look, width: 1.5, letterSpacing: wide ? 2 : 0, maxLineChars: 12 })
  );
  return {
    /** @param {any} layout @param {TilePoint[][]} geom @param {TileFeature} feature */
    place(layout, geom, feature) {
      const spot = heart(geom);
      const name = String(feature.props['label'] ?? '');
      if (!spot || !name || spot.width < 12 * Math.min(name.length, 12)) return undefined;
      const placed = centred.place(layout, [[spot.point]], feature);
      for (const label of placed ?? []) {
        label.deduplicationKey = name;
        label.deduplicationDistance = REPEAT;
      }
      return placed;
    },
  };
}

/**
 * Centroid and width, in pixels, of the largest ring; null when none has an area.
 * @param {TilePoint[][]} rings
 */
function heart(rings) {
  let best = null;
  for (const ring of rings) {
    let [doubled, x, y, west, east] = [0, 0, 0, Infinity, -Infinity];
    ring.forEach((point, at) => {
      const next = ring[(at + 1) % ring.length] ?? point;
      const cross = point.x * next.y - next.x * point.y;
      doubled += cross;
      x += (point.x + next.x) * cross;
      y += (point.y + next.y) * cross;
      west = Math.min(west, point.x);
      east = Math.max(east, point.x);
    });
    if (Math.abs(doubled) > (best?.size ?? 1)) {
      best = { size: Math.abs(doubled), x: x / (3 * doubled), y: y / (3 * doubled), width: east - west };
    }
  }
  const first = rings[0]?.[0];
  if (!best || !first) return null;
  return { point: Object.assign(first.clone(), { x: best.x, y: best.y }), width: best.width };
}

/** The vector layers of the map: one canvas stack, each layer of the definitions its own tile source. */

import { fetchTile } from '../api.js';
import { drawingOrder } from '../pure/style.js';
import { tileMeets } from '../pure/tiles.js';
import { labelRules } from './labels.js';
import { featureSymbolizer } from './symbols.js';

/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Picked} Picked */

/** Deepest tiles that are asked for; closer views enlarge them. */
const MAX_DATA_ZOOM = 16;
/** A data tile covers two by two tiles of the screen: a quarter of the requests. */
const LEVEL_DIFF = 1;

/**
 * @typedef {object} Progress
 * @property {(change: 1 | -1) => void} onWork a request began (1) or ended (-1)
 * @property {(layer: Layer, error: unknown) => void} onTrouble a tile could not be had
 */

/**
 * The stack of vector layers, empty at first.
 * @param {import('leaflet').Map} map
 * @param {readonly Layer[]} layers
 * @param {(layer: Layer) => number} opacityOf 0 to 1
 * @param {Progress} progress
 */
export function createVectorStack(map, layers, opacityOf, progress) {
  const ordered = drawingOrder(layers);
  const views = new Map(ordered.map((layer) => [layer.id, viewOf(layer, {}, progress)]));
  const rules = new Map(
    ordered.map((layer) => [layer.id, {
      dataSource: layer.id,
      dataLayer: layer.id,
      minzoom: layer.zoom.min,
      maxzoom: layer.zoom.max,
      symbolizer: featureSymbolizer(layer, () => opacityOf(layer)),
    }]),
  );
  const stack = protomapsL.leafletLayer({ sources: {}, attribution: '', paintRules: [], labelRules: [], pane: 'tilePane' });
  stack.addTo(map);
  /** @type {Map<string, Readonly<Record<string, string>>>} */
  const filters = new Map();
  /** @type {Layer[]} */
  let shown = [];

  return {
    /** Show these layers and no others. @param {ReadonlySet<string>} visible */
    show(visible) {
      shown = ordered.filter((layer) => visible.has(layer.id));
      stack.views = new Map(shown.flatMap((layer) => {
        const view = views.get(layer.id);
        return view ? [[layer.id, view]] : [];
      }));
      stack.paintRules = shown.flatMap((layer) => rules.get(layer.id) ?? []);
      stack.labelRules = labelRules(shown);
      stack.clearLayout();
      stack.rerenderTiles();
    },

    /**
     * Ask only for rows with these properties; seen when the layers are shown again.
     * @param {string} id of a layer
     * @param {Readonly<Record<string, string>>} properties
     */
    filter(id, properties) {
      filters.set(id, properties);
      this.renew(id);
    },

    /** Ask for the rows of a layer again; seen when the layers are shown again. @param {string} id */
    renew(id) {
      const layer = ordered.find((each) => each.id === id);
      if (layer) views.set(id, viewOf(layer, filters.get(id) ?? {}, progress));
    },

    /** Paint again what is there, after a change of opacity or to retry tiles that failed. */
    repaint() {
      stack.rerenderTiles();
    },

    /**
     * What stands at a place, from the top to the bottom of the drawing.
     * @param {{lat: number, lng: number}} place
     * @param {number} reach CSS pixels around it
     * @returns {Picked[]}
     */
    pick(place, reach) {
      const zoom = map.getZoom();
      return shown
        .filter((layer) => zoom >= layer.zoom.min && zoom <= layer.zoom.max)
        .reverse()
        .flatMap((layer) => {
          // The renderer counts its brush in pixels of a data tile at half the scale of the screen.
          const found = views.get(layer.id)?.queryFeatures(place.lng, place.lat, zoom, reach * 2 ** LEVEL_DIFF) ?? [];
          return found.map(({ feature }) => ({
            layer: layer.id,
            properties: feature.props,
            geometry: feature.geomType,
          }));
        });
    },
  };
}

/** @typedef {ReturnType<typeof createVectorStack>} VectorStack */

/** @param {Layer} layer @param {Readonly<Record<string, string>>} filter @param {Progress} progress */
function viewOf(layer, filter, progress) {
  const options = { url: archiveOf(layer, filter, progress), levelDiff: LEVEL_DIFF, maxDataZoom: MAX_DATA_ZOOM };
  return /** @type {import('../globals').TileView} */ (
    protomapsL.sourcesToViews({ sources: { [layer.id]: options } }).get(layer.id)
  );
}

/**
 * The end point of a layer in the shape of the archive that the renderer reads from.
 * @param {Layer} layer
 * @param {Readonly<Record<string, string>>} filter properties of the rows to ask for
 * @param {Progress} progress
 * @returns {import('../globals').Archive}
 */
function archiveOf(layer, filter, progress) {
  return {
    async getZxy(z, x, y, signal) {
      const shownAt = z + LEVEL_DIFF;
      const tooFar = shownAt < layer.zoom.min;
      const tooNear = z < MAX_DATA_ZOOM && shownAt > layer.zoom.max;
      if (tooFar || tooNear || !tileMeets(z, x, y, layer.extent)) return undefined;
      progress.onWork(1);
      try {
        const data = await fetchTile(layer.id, { z, x, y }, { ...filter, rev: layer.content }, signal);
        return data.byteLength ? { data } : undefined;
      } catch (error) {
        if (!signal?.aborted) progress.onTrouble(layer, error);
        throw error;
      } finally {
        progress.onWork(-1);
      }
    },
  };
}

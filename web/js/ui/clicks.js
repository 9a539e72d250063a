/** Clicks, keys and the pointer on the map. */

import { atOnePlace, clusterBox, countOf, meant } from '../pure/pick.js';
import { fetchRasterValue } from '../api.js';
import { number, pick } from '../pure/format.js';
import { language, t } from '../words.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Picked} Picked */

/** How near a pointer or a finger has to come to a symbol, in pixels. */
const REACH = { fine: 9, coarse: 20 };

/**
 * @param {import('leaflet').Map} map
 * @param {App} app
 * @param {import('../map/tiles.js').VectorStack} stack
 * @param {import('../map/draw.js').Drawing} drawing
 * @param {(at: {lng: number, lat: number} | null) => void} showPosition
 */
export function bindClicks(map, app, stack, drawing, showPosition) {
  const reach = window.matchMedia('(pointer: coarse)').matches ? REACH.coarse : REACH.fine;

  /** @param {import('leaflet').LatLng} place */
  const ask = (place) => {
    if (drawing.busy()) return;
    const picked = meant(stack.pick(place, reach), app.layers);
    void tellRaster(app, place);
    if (picked.length) open(map, app, picked);
  };

  map.on('click', (event) => ask(event.latlng));
  map.getContainer().addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target === map.getContainer()) ask(map.getCenter());
    if (event.key === 'Escape') drawing.cancel();
  });

  let scheduled = 0;
  map.on('mousemove', ({ latlng }) => {
    showPosition(latlng);
    if (scheduled) return;
    scheduled = requestAnimationFrame(() => {
      scheduled = 0;
      const over = !drawing.busy() && meant(stack.pick(latlng, reach), app.layers).length > 0;
      map.getContainer().classList.toggle('over-feature', over);
    });
  });
  map.on('mouseout', () => showPosition(null));
}

/** @param {import('leaflet').Map} map @param {App} app @param {Picked[]} picked */
function open(map, app, picked) {
  const [first] = picked;
  if (!first) return;
  if (picked.length > 1) {
    app.openChooser(picked);
  } else if (countOf(first) < 2) {
    app.openCard(first.layer, String(first.properties['uid']));
  } else {
    openCluster(map, app, first);
  }
}

/** Come closer, or list the members where that would not part them. @param {import('leaflet').Map} map @param {App} app @param {Picked} cluster */
function openCluster(map, app, cluster) {
  const box = clusterBox(cluster.properties);
  if (atOnePlace(box) || map.getZoom() >= map.getMaxZoom()) {
    app.openMembers(cluster.layer, box);
    return;
  }
  app.showBox(box, Math.max(map.getZoom() + 2, 17));
}

/** The value of the raster that is shown, at a place. @param {App} app @param {import('leaflet').LatLng} place */
async function tellRaster(app, { lng, lat }) {
  const raster = app.config.rasters.find((each) => each.id === app.store.get().raster);
  if (!raster) return;
  try {
    const { value, unit, label } = await fetchRasterValue(raster.id, lng, lat);
    const title = pick(raster.title, language());
    if (value === null) app.notify(t('raster.none', { title }));
    else app.notify(t('raster.value', { title, value: [number(value, language(), 1), unit ?? raster.unit ?? '', pick(label, language())].filter(Boolean).join(' ') }));
  } catch (error) {
    app.fail(error);
  }
}

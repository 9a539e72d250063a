/** Drawing and editing one site; the tools are loaded when drawing first starts. */

import { DivIcon, GeoJSON, drawingTools, Marker } from './leaflet.js';

/** @typedef {import('geojson').Geometry} Geometry */
/** @typedef {'Polygon' | 'Rectangle' | 'Line' | 'Marker'} ShapeKind */

const LOOK = { className: 'mark mark-site', weight: 3, fillOpacity: 0.08 };

/**
 * @param {import('leaflet').Map} map
 * @param {object} on
 * @param {(geometry: Geometry) => void} on.drawn a site was finished, in degrees
 * @param {(geometry: Geometry) => void} on.edited its shape was changed
 * @param {(active: boolean) => void} on.active drawing began or ended
 * @param {(geometry: Geometry) => void} on.corner what is drawn so far has another corner
 */
export function createDrawing(map, on) {
  let drawing = false;
  /** @type {GeoJSON | null} */
  let edited = null;

  /** @param {boolean} active */
  const setDrawing = (active) => {
    if (drawing === active) return;
    drawing = active;
    on.active(active);
  };

  /** Ends drawing without a result. */
  const cancel = () => {
    if (drawing) map.pm?.disableDraw();
    setDrawing(false);
  };

  const stopEditing = () => {
    edited?.remove();
    edited = null;
  };

  const prepare = async () => {
    const known = map.pm;
    const tools = await drawingTools(map);
    if (known) return tools;
    tools.setGlobalOptions({ snappable: false, continueDrawing: false, allowSelfIntersection: false });
    map.on('pm:drawstart', (event) => {
      const { shape, workingLayer } = /** @type {{shape: string, workingLayer: any}} */ (/** @type {unknown} */ (event));
      workingLayer.on('pm:vertexadded', () => {
        const geometry = soFar(shape, workingLayer.getLatLngs());
        if (geometry) on.corner(geometry);
      });
    });
    map.on('pm:create', (event) => {
      const { layer } = /** @type {{layer: any}} */ (/** @type {unknown} */ (event));
      const { geometry } = layer.toGeoJSON(9);
      layer.remove();
      setDrawing(false);
      on.drawn(geometry);
    });
    return tools;
  };

  return {
    /** Whether clicks on the map belong to the drawing just now. */
    busy: () => drawing || edited !== null,

    cancel,

    /** @param {ShapeKind} shape */
    async start(shape) {
      const tools = await prepare();
      stopEditing();
      cancel();
      setDrawing(true);
      tools.enableDraw(shape, {
        tooltips: false,
        templineStyle: LOOK,
        hintlineStyle: { ...LOOK, dashArray: '5 6' },
        pathOptions: LOOK,
        markerStyle: { icon: new DivIcon({ className: 'site-pin', iconSize: [22, 22] }) },
      });
    },

    /** Give the site handles to drag. @param {Geometry} geometry */
    async edit(geometry) {
      await prepare();
      cancel();
      stopEditing();
      const layer = new GeoJSON(geometry, {
        style: () => LOOK,
        pointToLayer: (_feature, place) => pin(place),
      }).addTo(map);
      edited = layer;
      layer.eachLayer((/** @type {any} */ part) => {
        part.pm.enable({ allowSelfIntersection: false, snappable: false });
        part.on('pm:edit', () => on.edited(part.toGeoJSON(9).geometry));
      });
    },

    stopEditing,
    editing: () => edited !== null,
  };
}

/**
 * What has been drawn, as if it ended here; null before it is a line.
 * @param {string} shape
 * @param {{lng: number, lat: number}[]} corners
 * @returns {Geometry | null}
 */
function soFar(shape, corners) {
  const places = corners.map(({ lng, lat }) => [lng, lat]);
  const [first] = places;
  if (!first || places.length < 2) return null;
  if (shape === 'Polygon' && places.length > 2) return { type: 'Polygon', coordinates: [[...places, first]] };
  return shape === 'Polygon' || shape === 'Line' ? { type: 'LineString', coordinates: places } : null;
}

/** @typedef {ReturnType<typeof createDrawing>} Drawing */

/** @param {import('leaflet').LatLng} place */
function pin(place) {
  return new Marker(place, { icon: new DivIcon({ className: 'site-pin', iconSize: [22, 22] }) });
}

/** Vendored scripts that speak through globals, as far as the map uses them. */
import type * as Leaflet from 'leaflet';

export interface TilePoint { x: number; y: number; clone(): TilePoint }
export interface TileFeature {
  props: Record<string, unknown>; geomType: 1 | 2 | 3; geom: TilePoint[][];
  bbox: { minX: number; minY: number; maxX: number; maxY: number };
}
export interface PaintSymbolizer {
  before?(ctx: CanvasRenderingContext2D, z: number): void;
  draw(ctx: CanvasRenderingContext2D, geom: TilePoint[][], z: number, feature: TileFeature): void;
}
export interface PaintRule { dataSource: string; dataLayer: string; symbolizer: PaintSymbolizer; minzoom?: number; maxzoom?: number }
export interface LabelRule {
  dataSource: string; dataLayer: string; symbolizer: object; minzoom?: number; maxzoom?: number;
  filter?: (zoom: number, feature: TileFeature) => boolean;
}
export interface TileView {
  queryFeatures(lng: number, lat: number, zoom: number, brush: number): { feature: TileFeature; layerName: string }[];
}
export interface VectorLayer extends Leaflet.GridLayer {
  views: Map<string, TileView>;
  paintRules: PaintRule[];
  labelRules: LabelRule[];
  clearLayout(): void;
  rerenderTiles(): void;
}
/** What the renderer asks of a PMTiles archive; the map answers it from a z/y/x end point. */
export interface Archive {
  getZxy(z: number, x: number, y: number, signal?: AbortSignal): Promise<{ data: ArrayBuffer } | undefined>;
}
export interface SourceOptions { url: Archive; levelDiff: number; maxDataZoom: number }

declare global {
  const protomapsL: {
    leafletLayer(options: Record<string, unknown>): VectorLayer;
    sourcesToViews(options: { sources: Record<string, SourceOptions> }): Map<string, TileView>;
    CenteredTextSymbolizer: new (options: Record<string, unknown>) => object;
    OffsetTextSymbolizer: new (options: Record<string, unknown>) => object;
    LineLabelSymbolizer: new (options: Record<string, unknown>) => object;
    PolygonLabelSymbolizer: new (options: Record<string, unknown>) => object;
  };
}

declare module 'leaflet' {
  interface Map { pm?: DrawingTools }
  interface Layer { pm: LayerTools }
  interface DrawingTools {
    enableDraw(shape: string, options?: object): void;
    disableDraw(): void;
    setGlobalOptions(options: object): void;
    setLang(lang: string): void;
  }
  interface LayerTools { enable(options?: object): void; disable(): void }
}

/** Shapes of the HTTP contract, for the type checker only; nothing imports this file at run time. */
import type { Feature as GeoFeature, Geometry, GeoJsonProperties } from 'geojson';

export type Lang = 'zh' | 'en';
export type Verdict = 'conflict' | 'unknown' | 'edge' | 'clear';
export type Severity = 'prohibited' | 'restricted' | 'review' | 'notice';
export interface Words { zh: string; en: string }
/** [west, south, east, north] in degrees. */
export type Box = [number, number, number, number];

export interface Code { code: string; zh: string; en: string }
export interface Field {
  name: string; title: Words; type: string; unit?: string | null; codes?: Code[] | null; description?: Words | null;
}
export type Shape = 'circle' | 'square' | 'triangle' | 'diamond' | 'cross';
export type Hatch = 'none' | 'diagonal' | 'cross' | 'dots';
export interface Symbol {
  shape?: Shape | null; colour?: string | null; size?: number | null; fill_opacity?: number | null; line_width?: number | null;
  dash?: string | number[] | null; hatch?: Hatch | null;
}
export interface StyleClass extends Symbol { value: string }
export interface Style extends Symbol { by?: string | null; classes?: StyleClass[] | null }
export interface LegendRow extends Symbol { label: Words; value?: string | null }

export interface Layer {
  id: string; title: Words; abstract?: Words | null; theme: string;
  role: 'subject' | 'zone' | 'context' | 'register' | 'derived';
  geometry: string; count: number; visible: boolean; zoom: { min: number; max: number }; order: number;
  last_revision: number | null; content: string; is_demonstration: boolean; is_indicative: boolean;
  fields: Field[]; names: { label?: string | null; township?: string | null; county?: string | null };
  style: Style; legend: LegendRow[]; extent: Box | null;
  /** Whether rows of several sources may mean one thing. */
  linked: boolean;
}
/** What one source states; a place has lon, lat and accuracy_m as its value. */
export interface Claim<Value = unknown> { value: Value; uid: string; source: string; title: Words; bureau: string | null; at: string }
/** All rows that mean one thing; of each field the claim to show comes first. */
export interface Thing {
  uids: string[]; fields: Record<string, Claim[]>; places: Claim<{ lon: number; lat: number; accuracy_m: number | null }>[];
}
export interface Raster {
  id: string; title: Words; abstract?: Words | null; unit: string | null; opacity?: number; bounds: Box; attribution?: Words | string | null;
  legend: { value: number | string; label: Words | string; colour: string }[]; min: number; max: number;
}
export interface Rule { id: string; group: string; title: Words; severity: Severity }
/** `kinds`: the kinds of site that rules ask it of. */
export interface SiteField { name: string; title: Words; type: string; codes?: Code[] | null; unit?: string | null; kinds: string[] }
export interface SiteKind { kind: string; title: Words }
export interface Basemap { id: string; title: Words; url: string; attribution?: Words | string | null; max_zoom?: number }
export interface Config {
  version: string; revision: number; read_only: boolean;
  district: {
    id: string; name: Words; extent: Box; view: { center: [number, number]; zoom: number }; languages: Lang[];
    attribution?: Words | null; area_unit_local?: { name: Words; m2: number } | null;
  };
  themes: { id: string; title: Words; layers: string[] }[];
  layers: Layer[]; rasters: Raster[]; rule_groups: { id: string; title: Words; pack: string }[]; rules: Rule[];
  conflicts_layer: string | null; basemaps: Basemap[]; site_kinds: SiteKind[]; site_fields: SiteField[];
}

export type Properties = Record<string, unknown>;
/** Where a row comes from: its source, and the revision and file that brought it; only a single item tells. */
export interface Provenance {
  source: string; title_zh: string; title_en: string; bureau: string | null; rev: number; at: string; who: string;
  kind: string; run_id: number | null; file: string | null;
}
export interface ConflictMark { mark: 'challenged' | 'accepted' | 'withdrawn'; why: string; until: string | null; who: string; at: string; stands: boolean }
export interface Standing {
  since: string; since_revision: number; days: number; status: 'open' | 'challenged' | 'accepted' | 'expired';
  mark: ConflictMark | null; marks: ConflictMark[]; history: { revision: number; at: string; what: 'opened' | 'closed' }[];
}
export interface Item extends GeoFeature<Geometry | null, GeoJsonProperties> { properties: Properties; provenance?: Provenance; standing?: Standing }
export interface Items {
  type: 'FeatureCollection'; features: Item[]; numberMatched: number; numberReturned: number;
  links: { rel: string; href: string }[];
}

export interface ConflictSummary {
  judged_revision: number | null; head: number; lagging: boolean; total: number;
  by_verdict: Partial<Record<Verdict, number>>; by_severity: Partial<Record<Severity, number>>;
  by_rule: { rule: string; verdict: Verdict; severity: Severity | null; count: number }[];
  by_township: { county: string | null; township: string | null; verdict?: Verdict; count: number }[];
  /** Whether the rules are still those of the judging. */
  rules_current?: boolean;
}

export interface Hit { layer: string; uid: string; label: string; point: [number, number] | null }

export interface Part {
  area_m2?: number | null; length_m?: number | null; share?: number | null; geometry?: Geometry | null;
}
export type Parts = Partial<Record<Verdict, Part | null>>;
export interface Source { name: string; title?: Words | null; bureau?: string | null; is_demonstration?: boolean }
export interface ZoneFact {
  layer: string; uid: string; name: string | null; overlap_m2?: number | null; overlap_m?: number | null;
  share?: number | null; distance_m?: number | null; bearing_deg?: number | null; margin_m?: number | null;
  error_m?: number | null; on_boundary?: boolean; is_indicative?: boolean; is_demonstration?: boolean;
  source?: Source | null; witness?: Geometry | null; layer_title?: Words | null;
}
export interface Legal {
  key: string; law: Words; article: string; citation: Words; text: Words; confidence?: string; valid_from?: string | null;
  valid_to?: string | null; dates_confirmed?: boolean;
}
/** An attribute that would be needed. */
export interface Missing { name: string; title: Words }
export interface Finding {
  rule: string; group: string; title: Words; verdict: Verdict; severity: Severity | null;
  severity_if_official?: Severity | null; missing: Missing[]; sentence: Words; zones: ZoneFact[]; legal: Legal[];
  statutory?: boolean | null; has_basis: boolean; exceptions?: Words | null; disposal?: Words | null;
  penalty?: Words | null; note?: Words | null; notes?: Words[];
}
export interface ThemeAnswer {
  id: string; title: Words; verdict: Verdict; severity: Severity | null; parts?: Parts | null; findings: Finding[];
}
export interface Answer {
  engine: string; law_date: string; as_of: { revision: number; head: number };
  site: {
    geometry: Geometry; kind: string; attributes: Properties; accuracy_m: number | null; accuracy_source?: string;
    area_m2?: number | null; area_ellipsoidal_m2?: number | null;
    area_local?: { value: number; unit: Words } | null; length_m?: number | null;
  };
  verdict: Verdict; severity: Severity | null; demonstration: boolean; parts: Parts | null; themes: ThemeAnswer[];
  clear: { rule: string; title: Words; reason: Words }[];
  layers: {
    id: string; title: Words; revision: number | null; coverage: 'full' | 'partial' | 'none';
    is_demonstration: boolean; is_indicative?: boolean; sources: Source[];
  }[];
  packs: { id: string; version: string; hash: string }[];
}

/** The verdicts alone, while a site is drawn. */
export interface LiveAnswer {
  detail: 'live'; verdict: Verdict; severity: Severity | null;
  themes: { id: string; title: Words; verdict: Verdict; severity: Severity | null }[];
}
export interface SiteQuery {
  site: Geometry | { wkt: string; crs: string }; kind: string; attributes: Properties;
  accuracy_m?: number; law_date?: string;
}
/** A stored report: its number and until when it is good. */
export interface ReportLink { id: string; href: string; created: string; expires: string }
export interface Problem {
  status: number; title?: string; detail?: string; code?: string; remedy?: string;
  detail_zh?: string; detail_en?: string; remedy_zh?: string; remedy_en?: string;
}

/** Who is signed in; `accounts`: whether anybody can. */
export interface Session {
  signed_in: boolean; accounts: boolean; role: string; role_title: Words; actions: string[]; name?: string | null; display_name?: string;
  areas?: string[] | null; department?: string | null; csrf?: string | null; expires?: string;
}

/** What somebody says of a conflict; `until` is the last day it holds, null for as long as nobody takes it back. */
export interface NewMark { uid: string; mark: 'challenged' | 'accepted' | 'withdrawn'; why: string; until: string | null }

/** A sentence and what to do, of a file, a step or some rows. */
export interface Told { code: string; detail_zh: string; detail_en: string; remedy_zh: string; remedy_en: string }
/** What an import found in rows of the file: `rows` are the first of them, 1 is the first data row. */
export interface ImportFinding {
  code: string; severity: 'error' | 'repair' | 'warning' | 'file'; field: string | null; value: string | null; count: number;
  rows: number[]; of_file: boolean; zh: string; en: string; remedy_zh: string; remedy_en: string;
}
export interface CrsCandidate {
  crs: string; title: Words; swapped: boolean; score: number; inside: number; needs_parameters: Words | null;
  evidence: Words[]; centre: [number, number] | null; bbox: Box | null;
}
export interface CrsGroup {
  number: number; rows: number; first_row: number; last_row: number; candidates: CrsCandidate[]; winner: string | null;
}
export interface CrsProposal {
  groups: CrsGroup[]; declared: string | null; declared_fits: boolean | null; winner: string | null; sentence: Words;
  sampled: number; total: number;
}
export interface FieldChoice {
  field: string; title: Words; type: string; unit: string | null; required: boolean; column: string | null; score: number;
  certain: boolean; why: Words; unit_from: string | null; unknown_words: string[];
}
export interface ImportLayer { id: string; title: Words; geometry: string; score: number; suits: boolean; missing: string[]; matched: number }
export interface ImportOutcome {
  layer: string; file: string; total: number; good: number; bad: number; repaired: number; rev: number | null; run: number | null;
  added: number; changed: number; closed: number; unchanged: number; transformation: string | null; findings: ImportFinding[];
  /** Of a check: more than a fifth of the source's rows would be closed, which has to be confirmed. */
  closes_many?: boolean;
}
export type ImportState = 'receiving' | 'reading' | 'ready' | 'checking' | 'planned' | 'committing' | 'done' | 'refused' | 'failed';
export interface ImportPlan {
  layer: string; crs: string; crs_groups: Record<string, string>; mapping: Record<string, string>;
  mode: 'upsert' | 'replace' | 'append'; outside: 'refuse' | 'keep';
  source: { name: string; bureau?: string | null; accuracy_m?: number | null };
}
/** One upload, as far as it is known. */
export interface Import {
  id: string; state: ImportState; files: { name: string; bytes: number }[] | null;
  progress: { phase: string; done: number; total: number | null } | null; problem: Told | null;
  header?: {
    format: string; member: string | null; members: string[]; encoding: string | null; declared_crs: string | null;
    rows: number; rows_claimed: number | null; coordinate_unit: string;
  };
  columns?: { name: string; type: string; samples: string[] }[];
  geometry?: Record<string, number>;
  issues?: ImportFinding[];
  layers?: ImportLayer[];
  proposal?: { layer: string; crs: CrsProposal | null; mapping: FieldChoice[] } | null;
  plan?: ImportPlan | null; check?: ImportOutcome | null; result?: ImportOutcome | null;
}
export type RowMark = 'first' | 'second' | 'added' | 'changed' | 'closed' | 'refused';
export interface RowFeatures {
  type: 'FeatureCollection'; bbox: Box | null; left_out: number;
  features: GeoFeature<Geometry, { row?: number; change?: RowMark; uid?: string }>[];
}

/** One thing under the pointer, from a vector tile. */
export interface Picked { layer: string; properties: Properties; geometry: 1 | 2 | 3 }

export type HealthState = 'green' | 'amber' | 'red' | 'grey';
export interface HarvestHealth {
  name: string; kind: string; every: string | null; enabled: boolean; state: 'changed' | 'unchanged' | 'failed' | null;
  last_at: string | null; next_at: string | null; failures: number; error: { zh: string; en: string } | null;
}
export interface SourceHealth {
  name: string; title: Words; bureau: string | null; contact: string | null; licence: string | null;
  is_demonstration: boolean; rows: number; expected_rows: number | null; rhythm: string | null;
  rhythm_words: Words | null; confirmed_at: string | null; due_at: string | null; open_rejects: number;
  harvests: HarvestHealth[];
}
/** How well a layer stands. */
export interface HealthCard {
  layer: string; title: Words; state: HealthState;
  reasons: { code: string; state: HealthState; zh: string; en: string }[];
  rows: number; expected_rows: number | null; confirmed_at: string | null; due_at: string | null;
  open_rejects: number; coverage_share: number | null;
  accuracy: { worst_m: number | null; typical_m: number | null; unknown_share: number | null };
  judging: { revision: number; lagging: boolean; law_date: string | null; rules_current: boolean } | null;
  sources: SourceHealth[];
}

/** What the parts of the page share; made in main.js. */
export interface App {
  config: Config;
  store: import('./state').Store;
  layers: ReadonlyMap<string, Layer>;
  /** Id of the layer that holds the conflicts; '' where nothing is judged. */
  conflictsLayer: string;
  defaultVisible: ReadonlySet<string>;
  highlights: import('./map/highlight').Highlights;
  /** Move the map so that a box (degrees) stands in what the panels leave free. */
  showBox(box: Box, maxZoom?: number): void;
  showGeometry(geometry: Geometry | null | undefined, maxZoom?: number): void;
  openCard(layer: string, uid: string, how?: { over?: boolean; zoom?: boolean }): void;
  openChooser(picked: Picked[]): void;
  openMembers(layer: string, box: Box): void;
  openTable(layer: string): void;
  openHealth(layer: string): void;
  openConflicts(): void;
  openSite(): void;
  /** The import panel: as it was left, or empty. */
  openImport(): void;
  /** Ask the user to sign in; whether somebody did. */
  signIn(): Promise<boolean>;
  /** Have newly imported rows of a layer drawn. */
  renewLayer(layer: string): Promise<void>;
  rowMarks: import('./map/rows').RowMarks;
  screen(geometry: Geometry, kind: string, accuracy_m?: number): void;
  notify(words: string, kind?: 'note' | 'trouble'): void;
  fail(error: unknown): void;
}

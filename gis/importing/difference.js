// What an import would change, on a map without background: added, changed (with its place before), closed.
"use strict";

const KINDS = {
  added: { colour: "#1b7f3b", zh: "新增", en: "added" },
  changed: { colour: "#c77700", zh: "修改", en: "changed" },
  before: { colour: "#8a8a8a", zh: "修改前", en: "before the change" },
  closed: { colour: "#b3261e", zh: "关闭", en: "closed" },
};

function styleOf(feature) {
  const kind = feature.properties.change;
  return { color: KINDS[kind].colour, weight: 2, fillOpacity: 0.35, radius: 6, dashArray: kind === "before" ? "4 4" : null };
}

function line(tag, text, parent) {
  const element = document.createElement(tag);
  element.textContent = text;
  parent.append(element);
  return element;
}

function card(feature) {
  const { change, uid, label, row } = feature.properties;
  const box = document.createElement("div");
  line("b", label ?? uid, box);
  line("div", `${KINDS[change].zh} ${KINDS[change].en}`, box);
  line("div", uid, box);
  if (row !== null) line("div", `第 ${row} 行 row ${row}`, box);
  return box;
}

function legend(content, counts) {
  const control = L.control({ position: "topright" });
  control.onAdd = () => {
    const box = L.DomUtil.create("div", "om-box");
    line("h1", `${content.title.zh} ${content.title.en}`, box);
    line("p", "导入预演：尚未写入 Rehearsal: nothing is stored", box).className = "om-note";
    const list = line("ul", "", box);
    list.className = "om-legend";
    for (const [kind, words] of Object.entries(KINDS)) {
      if (!counts[kind]) continue;
      const item = line("li", "", list);
      item.dataset.change = kind;
      const swatch = line("span", "", item);
      swatch.className = "om-swatch";
      swatch.style.borderColor = swatch.style.background = words.colour;
      line("span", `${words.zh} ${words.en}`, item);
      const many = counts[kind] >= content.limit ? `≥ ${counts[kind]}` : counts[kind];
      line("span", many, item).className = "om-number";
    }
    return box;
  };
  return control;
}

function difference(content) {
  const map = L.map("map", { preferCanvas: content.difference.features.length > 4000, attributionControl: false });
  const counts = {};
  for (const feature of content.difference.features) {
    counts[feature.properties.change] = (counts[feature.properties.change] ?? 0) + 1;
  }
  const shown = L.geoJSON(content.difference, {
    style: styleOf,
    pointToLayer: (feature, place) => L.circleMarker(place, styleOf(feature)),
    onEachFeature: (feature, shape) => shape.bindPopup(() => card(feature)),
  }).addTo(map);
  legend(content, counts).addTo(map);
  const [west, south, east, north] = content.extent;
  const bounds = shown.getBounds();
  map.fitBounds(bounds.isValid() ? bounds.pad(0.1) : [[south, west], [north, east]], { maxZoom: 16 });
  L.control.scale().addTo(map);
}

/* Draws the content of a map file. Everything from data is set as text, never as HTML. */
'use strict';

// eslint-disable-next-line no-unused-vars -- called by the page
function onemap(map, content) {
  const L = window.L;
  const words = {
    zh: { demo: '演示数据', indicative: '示意性', demoNote: '含演示数据，不代表真实情况', rows: '项', yes: '是', no: '否', other: 'English', uid: '标识', accuracy: '位置误差上限', source: '来源' },
    en: { demo: 'Demonstration', indicative: 'Indicative', demoNote: 'Holds demonstration data; says nothing about real places', rows: 'items', yes: 'yes', no: 'no', other: '中文', uid: 'Identifier', accuracy: 'Bound of position error', source: 'Source' },
  };
  let language = (navigator.language || '').toLowerCase().startsWith('zh') ? 'zh' : 'en';
  const order = content.style.classes.map((each) => each.value);
  const by = content.style.by;
  const hasDemo = content.features.some((feature) => feature.properties.is_demonstration);

  const said = (text) => (text ? text[language] : '');
  function node(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function symbol(value) {
    const own = content.style.classes.find((each) => each.value === value) || {};
    const pick = (name) => (own[name] === null || own[name] === undefined ? content.style[name] : own[name]);
    return { colour: pick('colour'), size: pick('size'), fill: pick('fill_opacity'), width: pick('line_width'), dash: pick('dash') };
  }
  const valueOf = (feature) => (by ? feature.properties[by] : null);
  const rank = (feature) => {
    const place = order.indexOf(valueOf(feature));
    return place < 0 ? order.length : place;
  };

  function shown(field, value) {
    const code = (field.values || []).find((each) => each.code === value);
    if (code) return code[language];
    if (typeof value === 'boolean') return words[language][value ? 'yes' : 'no'];
    return field.unit ? `${value} ${field.unit}` : String(value);
  }

  function table(feature) {
    const rows = node('table');
    const add = (name, value) => {
      const row = rows.insertRow();
      const head = node('th', '', name);
      row.append(head, node('td', '', value));
    };
    for (const field of content.fields) {
      const value = feature.properties[field.name];
      if (value !== null && value !== undefined) add(said(field.title), shown(field, value));
    }
    const own = feature.properties;
    if (own.accuracy_m !== undefined) add(words[language].accuracy, `${own.accuracy_m} m`);
    add(words[language].source, own.source);
    add(words[language].uid, own.uid);
    return rows;
  }

  function card(features) {
    const box = node('div', 'om-card');
    for (const feature of features) {
      const entry = node('details');
      entry.open = features.length === 1;
      const head = node('summary', '', String(feature.properties[content.label] || feature.id));
      if (feature.properties.is_demonstration) head.append(' ', node('span', 'om-mark', words[language].demo));
      if (feature.properties.is_indicative) head.append(' ', node('span', 'om-mark', words[language].indicative));
      entry.append(head, table(feature));
      box.append(entry);
    }
    return box;
  }

  function drawContext() {
    for (const layer of content.context) {
      const style = { color: layer.colour, weight: Math.max(1, layer.width), opacity: 0.55, fill: false, interactive: false };
      for (const shape of layer.shapes) L.geoJSON(shape, { style }).addTo(map);
    }
  }

  function path(feature) {
    const { colour, fill, width, dash } = symbol(valueOf(feature));
    return { color: colour, weight: Math.max(1, width), fillColor: colour, fillOpacity: fill, dashArray: dash.length ? dash.join(' ') : null };
  }

  function drawPlace(features) {
    features.sort((a, b) => rank(a) - rank(b));
    const [lon, lat] = features[0].geometry.coordinates;
    const radius = symbol(valueOf(features[0])).size + (features.length > 1 ? 4 : 0);
    L.circleMarker([lat, lon], { ...path(features[0]), radius }).bindPopup(() => card(features), { minWidth: 240 }).addTo(map);
    if (features.length > 1) {
      const icon = L.divIcon({ className: 'om-count', iconSize: [2 * radius, 2 * radius], html: node('span', '', String(features.length)) });
      L.marker([lat, lon], { icon, interactive: false, keyboard: false }).addTo(map);
    }
  }

  function draw() {
    const places = new Map();
    for (const feature of [...content.features].sort((a, b) => rank(b) - rank(a))) {
      if (!feature.geometry) continue;
      if (feature.geometry.type !== 'Point') {
        L.geoJSON(feature, { style: path, pointToLayer: (each, at) => L.circleMarker(at, { ...path(each), radius: symbol(valueOf(each)).size }) })
          .bindPopup(() => card([feature]), { minWidth: 240 }).addTo(map);
        continue;
      }
      const key = feature.geometry.coordinates.join(' ');
      places.set(key, [...(places.get(key) || []), feature]);
    }
    for (const features of places.values()) drawPlace(features);
  }

  function legend() {
    const list = node('ul', 'om-legend');
    for (const row of content.legend) {
      const entry = node('li');
      const swatch = node('span', 'om-swatch');
      swatch.style.borderColor = row.colour;
      swatch.style.backgroundColor = row.colour;
      const count = content.features.filter((feature) => !by || (valueOf(feature) ?? null) === row.value).length;
      entry.append(swatch, node('span', '', said(row.label)), node('span', 'om-number', String(count)));
      list.append(entry);
    }
    return list;
  }

  const box = node('div', 'om-box');
  L.DomEvent.disableClickPropagation(box);
  L.DomEvent.disableScrollPropagation(box);
  function explain() {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
    const other = node('button', 'om-language', words[language].other);
    other.type = 'button';
    other.addEventListener('click', () => {
      language = language === 'zh' ? 'en' : 'zh';
      map.closePopup();
      explain();
    });
    box.replaceChildren(other, node('h1', '', said(content.title)), node('p', '', `${content.features.length} ${words[language].rows}`));
    if (hasDemo) box.append(node('p', 'om-mark', words[language].demoNote));
    box.append(legend(), node('p', 'om-note', said(content.note)));
  }

  const control = L.control({ position: 'topright' });
  control.onAdd = () => box;
  control.addTo(map);
  map.attributionControl.setPrefix(false);
  const [west, south, east, north] = content.extent;
  map.fitBounds([[south, west], [north, east]], { padding: [20, 20], maxZoom: 16, animate: false });
  explain();
  drawContext();
  draw();
}

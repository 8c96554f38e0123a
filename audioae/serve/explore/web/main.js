/** The explorer: asks the server for its map and puts the parts together. */

import { createActions } from "./actions.js";
import { followState, parseAddress, rowsOfAddress } from "./address.js";
import { createApi } from "./api.js";
import { createColumns } from "./columns.js";
import { askKey, helpDialog } from "./dialogs.js";
import { watchDrops } from "./drop.js";
import { watchKeys } from "./keys.js";
import { layOut, showFault } from "./layout.js";
import { trackList } from "./list.js";
import { createMap } from "./map.js";
import panels from "./panels/index.js";
import { createPlayer } from "./player.js";
import { searchBox } from "./search.js";
import { createEvents, createState } from "./state.js";
import { createTabs } from "./tabs.js";
import { createTracks } from "./tracks.js";

const EMPTY = { selected: null, hovered: null, seeds: [], minus: [], waypoints: [], only: null };

async function start(root) {
  const api = createApi({ askKey });
  const info = await api.get("v1/map");
  api.ofMap(info.version);
  const points = new Float32Array(await api.binary("v1/map/points"));
  const address = parseAddress(location.hash);
  const tracks = createTracks(api);
  const rows = await rowsOfAddress(address.ids, tracks);
  const columns = createColumns(api, info);
  const color = columns.list.some((one) => one.name === address.state.color)
    ? address.state.color
    : columns.list[0]?.name;
  const state = createState({ ...EMPTY, ...address.state, ...rows, color, panel: address.state.panel ?? "track" });

  const app = { api, state, tracks, columns, events: createEvents(), info };
  const help = helpDialog();
  const parts = layOut(root, app, { help });
  Object.assign(app, { say: parts.say, fail: parts.fail, note: parts.note });
  app.actions = createActions(app);
  app.list = (element, list, options) => trackList(app, element, list, options);
  app.player = createPlayer(parts.player, app);
  app.map = createMap(parts.map, app, { info, points });
  const drops = watchDrops(app);
  app.actions.dropFile = drops.take;
  parts.chooseFile(drops.choose);
  const search = searchBox(app);
  parts.search.append(search);
  createTabs(parts.panels, app, panels);
  watchKeys(app, { search, help });
  if (address.state.view) app.map.view.setCamera(address.state.view, { quiet: true });
  followState(app);
  if (info.outdated) app.note(info.outdated);
  if (info.audio !== "none") app.player.prepare(state.get("selected") ?? 0).catch(() => {}); // starts the server's decoder
  performance.mark("explorer-ready");
  document.body.dataset.ready = "";
  globalThis.explorer = app; // for the browser's console and the tests
}

const root = document.getElementById("explorer");
start(root).catch((error) => showFault(root, error));

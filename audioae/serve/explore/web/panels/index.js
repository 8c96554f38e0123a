/** The panels, in the order of their tabs. */

import find from "./find.js";
import track from "./track.js";

export default [track, find];

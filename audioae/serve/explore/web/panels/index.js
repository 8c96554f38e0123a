/** The panels, in the order of their tabs. */

import codebook from "./codebook.js";
import compare from "./compare.js";
import find from "./find.js";
import judge from "./judge.js";
import latent from "./latent.js";
import selection from "./selection.js";
import track from "./track.js";
import walk from "./walk.js";

export default [track, find, selection, walk, judge, codebook, latent, compare];

/**
 * What danfojs-node finds when it asks for `@tensorflow/tfjs-node`: the tfjs of this project, so
 * that its tensors are ours and run on the backend we chose. Not the native package, whose
 * installation downloads a library from outside the registries.
 */
"use strict";
module.exports = require("@tensorflow/tfjs");

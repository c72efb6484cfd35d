import { describeForwardKernels } from "./forward-conformance.testing.ts";
import { referenceForward, roundingReferenceForward } from "./reference-forward.ts";

for (const kernels of [referenceForward, roundingReferenceForward]) {
  describeForwardKernels(kernels.name, () => Promise.resolve(kernels));
}

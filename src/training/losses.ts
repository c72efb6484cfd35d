/** What training minimises, with its gradient. */
import type { Tensor1D, Tensor2D, Tensor, Scalar } from "@tensorflow/tfjs";
import type { Tfjs } from "../tensor/backend.ts";

/**
 * The mean, in nats, of −log p(target) over the rows of `logits` [n, vocabSize]; `targets` [n] int32.
 * The gradient is (p − one-hot) / n: nothing larger than p is kept for it.
 */
export function crossEntropy(tf: Tfjs, logits: Tensor2D, targets: Tensor1D): Scalar {
  const [numRows, vocabSize] = logits.shape;
  const compute = tf.customGrad((...inputs) => {
    const [x, save] = inputs as [Tensor2D, (tensors: Tensor[]) => void];
    const p = tf.softmax(x);
    save([p, targets]);
    // log p(t) = x_t − max x + log(max p): exact where p(t) itself is too small for float32.
    const ofTarget = x.mul(tf.oneHot(targets, vocabSize)).sum(1);
    const logP = ofTarget.sub(x.max(1)).add(p.max(1).log());
    return {
      value: logP.mean().neg(),
      gradFunc: (dy: Tensor, [p, targets]: Tensor[]) =>
        p!.sub(tf.oneHot(targets!, vocabSize)).mul(dy.div(numRows)),
    };
  });
  return compute(logits) as Scalar;
}

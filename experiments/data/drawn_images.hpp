// The benchmark of Larochelle, Erhan, Courville, Bergstra and Bengio (ICML 2007), as far as it can
// be made again: variations of MNIST and drawn rectangles. Nothing depends on the seed of a spec,
// so that every run sees the same set.
#pragma once

#include "experiments/data/image_sets.hpp"

namespace jacquard::experiments {

// 12000 and 50000 images out of the 70000 of MNIST, in the order permutation(0,
// "data/mnist_basic", 70000), changed by `change`; of a smaller set (in tests) 12/70 and 50/70.
ImageParts vary_mnist(ImageParts mnist, void (*change)(ByteArray& images));

// Changes of [count, height, width]; the i-th image depends on i alone.
void leave_images(ByteArray& images);
// Turned round its middle by an angle that is uniform in [0, 2 pi), with bilinear interpolation;
// what comes from outside is black.
void rotate_images(ByteArray& images);
// Every pixel becomes the larger of itself and a uniform byte of its own.
void add_noise_behind(ByteArray& images);

// 1200 and 50000 images of 28 x 28: the outline of a white rectangle on black, one pixel wide. Its
// height and width are from 1 to 28 and differ by 3 at least, all such pairs equally likely, and so
// is every place where it fits. The label is 1 where the width is larger.
ImageParts draw_rectangles();

}  // namespace jacquard::experiments

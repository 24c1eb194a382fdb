// Patches of tiles times weights.
#pragma once

#include "tiles.hpp"

namespace fleeting {

// Filters that are worked on at once; a byte each makes one number of 32 bits.
constexpr int kGroup = 4;
// What is left of a square once it is transformed back along one axis.
constexpr int kHalf = kTile * kPoints;

// The weights as squares, (filters / 4, 5, frames * channels, 5, 4): the points of a column lie together. `weight` is
// (taps, filters).
inline std::vector<float> weight_squares(const Convolution& c, const float* weight) {
  const int64_t taps = c.kernel_frames * c.channels;
  std::vector<float> squares(c.filters * kSquare * taps);
  for (int64_t f = 0; f < c.filters; f++)
    for (int64_t k = 0; k < taps; k++) {
      double square[kSquare];
      weight_square(c, weight, k, f, square);
      for (int p = 0; p < kSquare; p++)
        squares[(((f / kGroup * kPoints + p % kPoints) * taps + k) * kPoints + p / kPoints) * kGroup + f % kGroup] =
            static_cast<float>(square[p]);
    }
  return squares;
}

// Multiply a frame's patches with a group of filters and transform the products back along the height, (4, 3, 5). Taps are
// those in time and channels; Taps is their number, or 0 for any.
template <int Taps>
void multiply_patches(const Floats* patches, const float* weight, const float* bias, int64_t taps, Floats* to) {
  if (Taps) taps = Taps;
  for (int s = 0; s < kPoints; s++) {
    Floats sums[kGroup][kPoints] = {};
    const Floats* x = patches + s;
    FLEETING_UNROLL
    for (int64_t k = 0; k < taps; k++, x += kSquare, weight += kPoints * kGroup) {
      FLEETING_UNROLL
      for (int i = 0; i < kPoints; i++)
        for (int m = 0; m < kGroup; m++) sums[m][i] += x[i * kPoints] * all(weight[i * kGroup + m]);
    }
    FLEETING_UNROLL
    for (int m = 0; m < kGroup; m++) {
      // What is added at the point (1, 1) is added to all 9 outputs.
      if (s == 1) sums[m][1] += all(bias[m]);
      Floats out[kTile];
      outputs_of(sums[m], out);
      for (int i = 0; i < kTile; i++) to[(m * kTile + i) * kPoints + s] = out[i];
    }
  }
}

}  // namespace fleeting

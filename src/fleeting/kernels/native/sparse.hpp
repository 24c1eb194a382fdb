// Gradients of convolution, ReLU and max-pooling without batch normalisation: only what the pooling chose has any.
#pragma once

#include "direct.hpp"

namespace fleeting {

struct SparseTensors {
  const float* x;
  const float* pooled;    // as the forward pass left them
  const float* gradient;  // like pooled
  const uint8_t* chosen;
  double* d_weight;  // (samples, filters, taps)
  double* d_bias;    // (samples, filters)
};

// The values under a kernel come in runs of kernel_width * channels neighbours; each is taken in fours.
constexpr int kFour = 4;
typedef float Four __attribute__((vector_size(4 * kFour)));

inline void sparse_backward(const Convolution& c, SparseTensors to) {
  const int64_t frames = c.out_frames() / kPool, rows = c.out_height() / kPool, columns = c.out_width() / kPool;
  const int64_t run = c.kernel_width * c.channels, fours = (run + kFour - 1) / kFour;
  const int64_t runs = c.kernel_frames * c.kernel_height, size = runs * fours * kFour;
  std::vector<int64_t> starts;
  for (int64_t t = 0; t < c.kernel_frames; t++)
    for (int64_t h = 0; h < c.kernel_height; h++) starts.push_back(c.at(t, h));
  std::vector<float> sums(c.filters * size), bias(c.filters), patch(size);
  for (int64_t n = 0; n < c.samples; n++) {
    const float* end = to.x + c.sample_size();
    std::fill(to.d_weight, to.d_weight + c.filters * c.taps(), 0.0);
    std::fill(to.d_bias, to.d_bias + c.filters, 0.0);
    for (int64_t frame = 0; frame < frames; frame++) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      std::fill(bias.begin(), bias.end(), 0.0f);
      for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++) {
          const int64_t cell = ((frame * rows + row) * columns + column) * c.filters;
          for (int64_t f = 0; f < c.filters; f++) {
            const float above = to.gradient[cell + f];
            // NaN goes on to the sums, so that it is seen.
            if (above == 0.0f || to.pooled[cell + f] <= 0.0f) continue;
            const int64_t code = to.chosen[cell + f];
            const float* x = to.x + c.at(frame * kPool + code / 9, row * kPool + code / 3 % 3) +
                             (column * kPool + code % 3) * c.channels;
            bias[f] += above;
            float* sum = &sums[f * size];
            const Four factor = Four{} + above;
            const bool inside = x + starts.back() + fours * kFour <= end;
            for (int64_t r = 0; r < runs; r++) {
              const float* from = x + starts[r];
              if (!inside) {
                std::memcpy(patch.data(), from, run * sizeof(float));
                from = patch.data();
              }
              for (int64_t q = 0; q < fours; q++, sum += kFour) {
                Four value, so_far;
                std::memcpy(&value, from + q * kFour, sizeof value);
                std::memcpy(&so_far, sum, sizeof so_far);
                so_far += value * factor;
                std::memcpy(sum, &so_far, sizeof so_far);
              }
            }
          }
        }
      for (int64_t f = 0; f < c.filters; f++) {
        to.d_bias[f] += bias[f];
        for (int64_t r = 0; r < runs; r++)
          for (int64_t i = 0; i < run; i++)
            to.d_weight[f * c.taps() + r * run + i] += sums[f * size + r * fours * kFour + i];
      }
    }
    const int64_t cells = frames * rows * columns * c.filters;
    to.x += c.sample_size();
    to.pooled += cells;
    to.gradient += cells;
    to.chosen += cells;
    to.d_weight += c.filters * c.taps();
    to.d_bias += c.filters;
  }
}

}  // namespace fleeting

// What Python sees: plain C functions over plain buffers. A file that includes this one is a whole library for one
// instruction set; fleeting/kernels/loading.py chooses among them.
#pragma once

#include <chrono>
#include <type_traits>

#include "backward.hpp"
#include "dense.hpp"
#include "elementwise.hpp"
#include "forward.hpp"
#include "planes.hpp"
#include "sparse.hpp"
#include "square_rows.hpp"
#include "tile_backward.hpp"
#include "tile_forward.hpp"
#include "winograd.hpp"

#define FLEETING_EXPORT extern "C" __attribute__((visibility("default")))

using fleeting::Convolution;

// Minimal filtering of rows takes more registers than vectors of 256 bits have, and a kernel that is three wide: the Python
// side leaves all others to PyTorch. Along both axes a vector must hold 16 channels.
constexpr bool kWide = fleeting::kLanes == fleeting::kBlock;
using Rows = std::conditional_t<kWide, fleeting::WinogradRows, fleeting::DirectRows>;
using Squares = std::conditional_t<kWide, fleeting::SquareRows, fleeting::DirectRows>;

// Raised whenever a signature changes; the Python side refuses another.
FLEETING_EXPORT int fleeting_version() { return 4; }

// Under a kernel that is 3 by 3 in space few channels are cut into tiles, and many are filtered along both axes.
inline bool in_tiles(const Convolution* c) { return c->kernel_height == 3 && c->channels <= 3; }
inline bool in_squares(const Convolution* c) { return c->kernel_height == 3 && c->channels == 16; }

FLEETING_EXPORT void fleeting_forward(const Convolution* c, const float* x, const float* weight, const float* bias,
                                      const float* sign, float* pooled, uint8_t* chosen, double* statistics,
                                      float* values) {
  const fleeting::ForwardTensors to = {x, weight, bias, sign, pooled, chosen, statistics, values};
  if (in_squares(c)) return fleeting::forward<Squares>(*c, to);
  if (!in_tiles(c) || values) return fleeting::forward<Rows>(*c, to);
  (c->kernel_frames * c->channels == 3 ? fleeting::tile_forward<3> : fleeting::tile_forward<0>)(*c, to);
}

FLEETING_EXPORT void fleeting_backward(const Convolution* c, const float* x, const float* weight, const float* bias,
                                       const float* values, const float* gradient, const uint8_t* chosen,
                                       const float* scale, const float* slope, const float* offset, double* d_weight,
                                       double* d_bias, float* d_output, int64_t border) {
  const fleeting::BackwardTensors to = {x,     weight, bias,     values, gradient, chosen, scale,
                                        slope, offset, d_weight, d_bias, d_output, border};
  if (in_squares(c)) return fleeting::backward<Squares>(*c, to);
  if (!in_tiles(c) || values || d_output) return fleeting::backward<Rows>(*c, to);
  if (c->channels == 3) return fleeting::tile_backward<3, 0>(*c, to);
  (c->kernel_frames == 3 ? fleeting::tile_backward<1, 3> : fleeting::tile_backward<1, 0>)(*c, to);
}

FLEETING_EXPORT void fleeting_sparse_backward(const Convolution* c, const float* x, const float* pooled,
                                              const float* gradient, const uint8_t* chosen, double* d_weight,
                                              double* d_bias) {
  fleeting::sparse_backward(*c, {x, pooled, gradient, chosen, d_weight, d_bias});
}

FLEETING_EXPORT void fleeting_convolution(const Convolution* c, const float* x, const float* weight, float* out) {
  (in_squares(c) ? fleeting::convolution<Squares> : fleeting::convolution<Rows>)(*c, x, weight, out);
}

FLEETING_EXPORT void fleeting_plane_forward(const fleeting::Plane* p, const float* x, const float* weight,
                                            const float* bias, const float* sign, float* pooled, uint8_t* chosen,
                                            double* statistics) {
  fleeting::plane_forward<Rows>(*p, {x, weight, bias, sign, pooled, chosen, statistics});
}

FLEETING_EXPORT void fleeting_plane_backward(const fleeting::Plane* p, const float* x, const float* weight,
                                             const float* bias, const float* gradient, const uint8_t* chosen,
                                             const float* slope, const float* offset, double* d_weight, double* d_bias) {
  fleeting::plane_backward<Rows>(*p, {x, weight, bias, gradient, chosen, slope, offset, d_weight, d_bias});
}

FLEETING_EXPORT void fleeting_pad(const float* x, int64_t samples, int64_t frames, int64_t height, int64_t row,
                                  int64_t border, int64_t channels, float* out) {
  fleeting::pad(x, samples, frames, height, row, border, channels, out);
}

FLEETING_EXPORT void fleeting_scale_shift(const float* x, int64_t rows, int64_t channels, const float* scale,
                                          const float* shift, float* out) {
  fleeting::scale_shift(x, rows, channels, scale, shift, out);
}

FLEETING_EXPORT void fleeting_gradient_sums(const float* gradient, const float* x, int64_t rows, int64_t channels,
                                            const float* scale, double* sums, float* scaled) {
  fleeting::gradient_sums(gradient, x, rows, channels, scale, sums, scaled);
}

FLEETING_EXPORT void fleeting_dense(const float* x, const float* weight, const float* bias, int64_t samples,
                                    int64_t inputs, int64_t outputs, float* y) {
  fleeting::dense(x, weight, bias, samples, inputs, outputs, y);
}

FLEETING_EXPORT void fleeting_dense_backward(const float* x, const float* weight, const float* gradient, int64_t samples,
                                             int64_t inputs, int64_t outputs, float* d_x, float* d_weight) {
  fleeting::dense_backward(x, weight, gradient, samples, inputs, outputs, d_x, d_weight);
}

FLEETING_EXPORT void fleeting_dropout(const float* x, int64_t count, uint32_t seed, uint32_t threshold, float scale,
                                      float* out) {
  fleeting::dropout(x, count, seed, threshold, scale, out);
}

// Billions of floating-point operations a second that one core does at most: the floor under every figure.
FLEETING_EXPORT double fleeting_peak_gflops() {
  double best = 0;
  for (int i = 0; i < 20; i++) {
    float sink[fleeting::kBlock] = {0.999f, 0.001f};
    const auto start = std::chrono::steady_clock::now();
    const double operations = fleeting::multiply_adds(1 << 20, sink);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    best = std::max(best, operations / spent.count() / 1e9);
  }
  return best;
}

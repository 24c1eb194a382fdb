// A fully connected layer with many inputs and few samples: bound by one walk over its weights, and so done in one.
#pragma once

#include <algorithm>

#include "vectors.hpp"

namespace fleeting {

// Floats of the inputs of all samples that are worked on at once, so that they stay in the cache.
constexpr int64_t kForwardCache = 1 << 16, kBackwardCache = 1 << 13;

FLEETING_INLINE float sum(Floats value) {
  float total = 0;
  for (int i = 0; i < kLanes; i++) total += value[i];
  return total;
}

// Add to M samples' R outputs the products of a stretch of inputs.
template <int M, int R>
FLEETING_INLINE void multiply_stretch(const float* x, const float* weight, int64_t inputs, int64_t outputs, int64_t count,
                                      float* y) {
  Floats sums[M][R] = {};
  for (int64_t k = 0; k < count; k += kLanes) {
    Floats w[R];
    for (int r = 0; r < R; r++) w[r] = load(weight + r * inputs + k);
    FLEETING_UNROLL
    for (int m = 0; m < M; m++) {
      const Floats value = load(x + m * inputs + k);
      for (int r = 0; r < R; r++) sums[m][r] += value * w[r];
    }
  }
  for (int m = 0; m < M; m++)
    for (int r = 0; r < R; r++) y[m * outputs + r] += sum(sums[m][r]);
}

template <int R>
FLEETING_INLINE void multiply_samples(const float* x, const float* weight, int64_t samples, int64_t inputs,
                                      int64_t outputs, int64_t count, float* y) {
  int64_t n = 0;
  for (; n + 4 <= samples; n += 4)
    multiply_stretch<4, R>(x + n * inputs, weight, inputs, outputs, count, y + n * outputs);
  for (; n < samples; n++) multiply_stretch<1, R>(x + n * inputs, weight, inputs, outputs, count, y + n * outputs);
}

// y = x weight^T + bias; x (samples, inputs), weight (outputs, inputs), inputs a multiple of 16.
inline void dense(const float* x, const float* weight, const float* bias, int64_t samples, int64_t inputs,
                  int64_t outputs, float* y) {
  for (int64_t n = 0; n < samples; n++) std::memcpy(y + n * outputs, bias, outputs * sizeof(float));
  const int64_t stretch = std::max<int64_t>(kForwardCache / samples / kBlock, 1) * kBlock;
  for (int64_t k = 0; k < inputs; k += stretch) {
    const int64_t count = std::min(stretch, inputs - k);
    int64_t o = 0;
    // With few sums to keep, more rows of weights at a time keep the memory busier.
    for (; samples < 4 && o + 8 <= outputs; o += 8)
      multiply_samples<8>(x + k, weight + o * inputs + k, samples, inputs, outputs, count, y + o);
    for (; o + 4 <= outputs; o += 4)
      multiply_samples<4>(x + k, weight + o * inputs + k, samples, inputs, outputs, count, y + o);
    for (; o < outputs; o++)
      multiply_samples<1>(x + k, weight + o * inputs + k, samples, inputs, outputs, count, y + o);
  }
}

// Of R outputs and a stretch of inputs: d_weight = gradient^T x, and d_x += gradient weight. d_x may be null.
template <int R>
FLEETING_INLINE void differentiate_stretch(const float* x, const float* weight, const float* gradient, int64_t samples,
                                           int64_t inputs, int64_t outputs, int64_t count, float* d_x, float* d_weight) {
  for (int64_t k = 0; k < count; k += kLanes) {
    Floats w[R], d[R] = {};
    for (int r = 0; r < R; r++) w[r] = load(weight + r * inputs + k);
    for (int64_t n = 0; n < samples; n++) {
      const Floats value = load(x + n * inputs + k);
      Floats above = d_x ? load(d_x + n * inputs + k) : Floats{};
      FLEETING_UNROLL
      for (int r = 0; r < R; r++) {
        const Floats g = all(gradient[n * outputs + r]);
        d[r] += g * value;
        above += g * w[r];
      }
      if (d_x) store(d_x + n * inputs + k, above);
    }
    for (int r = 0; r < R; r++) store(d_weight + r * inputs + k, d[r]);
  }
}

inline void dense_backward(const float* x, const float* weight, const float* gradient, int64_t samples, int64_t inputs,
                           int64_t outputs, float* d_x, float* d_weight) {
  const int64_t stretch = std::max<int64_t>(kBackwardCache / samples / kBlock, 1) * kBlock;
  for (int64_t k = 0; k < inputs; k += stretch) {
    const int64_t count = std::min(stretch, inputs - k);
    if (d_x)
      for (int64_t n = 0; n < samples; n++) std::fill_n(d_x + n * inputs + k, count, 0.0f);
    float* above = d_x ? d_x + k : nullptr;
    int64_t o = 0;
    for (; o + 4 <= outputs; o += 4)
      differentiate_stretch<4>(x + k, weight + o * inputs + k, gradient + o, samples, inputs, outputs, count, above,
                               d_weight + o * inputs + k);
    for (; o < outputs; o++)
      differentiate_stretch<1>(x + k, weight + o * inputs + k, gradient + o, samples, inputs, outputs, count, above,
                               d_weight + o * inputs + k);
  }
}

}  // namespace fleeting

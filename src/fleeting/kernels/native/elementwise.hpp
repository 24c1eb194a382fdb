// Walks over tensors that are already small: each does in one what would be several.
#pragma once

#include <algorithm>

#include "vectors.hpp"

namespace fleeting {

// Copy (samples, frames, height, width * channels) into a tensor with zeros around each sample.
inline void pad(const float* x, int64_t samples, int64_t frames, int64_t height, int64_t row, int64_t border,
                int64_t channels, float* out) {
  const int64_t side = border * channels, wide = row + 2 * side, high = height + 2 * border;
  const int64_t plane = high * wide;
  for (int64_t n = 0; n < samples; n++) {
    std::fill(out, out + border * plane, 0.0f);
    out += border * plane;
    for (int64_t t = 0; t < frames; t++) {
      std::fill(out, out + border * wide, 0.0f);
      out += border * wide;
      for (int64_t h = 0; h < height; h++, out += wide, x += row) {
        std::fill(out, out + side, 0.0f);
        std::memcpy(out + side, x, row * sizeof(float));
        std::fill(out + side + row, out + wide, 0.0f);
      }
      std::fill(out, out + border * wide, 0.0f);
      out += border * wide;
    }
    std::fill(out, out + border * plane, 0.0f);
    out += border * plane;
  }
}

// out = x * scale + shift, a channel; (rows, channels), channels a multiple of 16.
inline void scale_shift(const float* x, int64_t rows, int64_t channels, const float* scale, const float* shift,
                        float* out) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < channels; c += kLanes, x += kLanes, out += kLanes)
      store(out, load(x) * load(scale + c) + load(shift + c));
}

// Of every channel, the sums of a gradient and of its product with x: (2, channels); and the gradient times scale, unless
// `scaled` is null.
inline void gradient_sums(const float* gradient, const float* x, int64_t rows, int64_t channels, const float* scale,
                          double* sums, float* scaled) {
  // So many rows are added in single precision before they go to double.
  constexpr int64_t kRows = 64;
  std::fill(sums, sums + 2 * channels, 0.0);
  for (int64_t c = 0; c < channels; c += kLanes) {
    const Floats factor = load(scale + c);
    for (int64_t first = 0; first < rows; first += kRows) {
      Floats total = {}, product = {};
      for (int64_t r = first; r < std::min(first + kRows, rows); r++) {
        const Floats g = load(gradient + r * channels + c);
        total += g;
        product += g * load(x + r * channels + c);
        if (scaled) store(scaled + r * channels + c, g * factor);
      }
      for (int i = 0; i < kLanes; i++) {
        sums[c + i] += total[i];
        sums[channels + c + i] += product[i];
      }
    }
  }
}

// out = x where a hash of seed and position is at least the threshold, times scale; else 0. The mask is never stored:
// the same call on the gradient is its derivative. The hash is the finaliser of MurmurHash3 (Appleby 2011).
inline void dropout(const float* x, int64_t count, uint32_t seed, uint32_t threshold, float scale, float* out) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t h = static_cast<uint32_t>(i) * 0x9E3779B9u + seed;
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h *= 0xC2B2AE35u;
    h ^= h >> 16;
    out[i] = h >= threshold ? x[i] * scale : 0.0f;
  }
}

// Billions of floating-point operations of a loop that is nothing but multiply-adds.
inline double multiply_adds(int64_t rounds, float* sink) {
  constexpr int kChains = 12;
  Floats sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = all(static_cast<float>(i));
  Floats a = all(sink[0]), b = all(sink[1]);
  for (int64_t r = 0; r < rounds; r++) {
    FLEETING_UNROLL
    for (int i = 0; i < kChains; i++) sums[i] = sums[i] * a + b;
    __asm__ volatile("" : "+m"(sink[0]));
  }
  Floats total = {};
  for (int i = 0; i < kChains; i++) total += sums[i];
  store(sink, total);
  return 2.0 * kChains * kLanes * static_cast<double>(rounds);
}

}  // namespace fleeting

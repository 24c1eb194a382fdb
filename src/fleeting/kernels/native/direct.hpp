// Rows of a 3-D convolution, tap by tap: the arithmetic that everything else is arranged around.
#pragma once

#include <vector>

#include "shapes.hpp"
#include "vectors.hpp"

namespace fleeting {

template <int J>
using Sums = Floats[J][kVectors];

// Where each value under the kernel lies, counted from the first; `width` values of `step` to a row of the input.
inline std::vector<int64_t> tap_offsets(const Convolution& c, int64_t kernel_width, int64_t row, int64_t step) {
  std::vector<int64_t> offsets;
  for (int64_t t = 0; t < c.kernel_frames; t++)
    for (int64_t h = 0; h < c.kernel_height; h++)
      for (int64_t w = 0; w < kernel_width; w++)
        for (int64_t i = 0; i < c.channels; i++) offsets.push_back((t * c.height + h) * row + w * step + i);
  return offsets;
}

// All ways to convolve by rows have this shape. Work goes on in blocks of 16 filters. A row of sums is handed to a sink,
// which has
//   template <int J> void take(int64_t position, Sums<J>& sums);
// J is a multiple of the pooling except for positions that the pooling drops. Rows are asked for in threes, of all frames
// one after the other.
class DirectRows {
 public:
  static constexpr bool kEndsOften = true;

  // weight is (taps, filters).
  DirectRows(const Convolution& c, const float* weight)
      : c_(c), offsets_(tap_offsets(c, c.kernel_width, c.width * c.channels, c.channels)), weight_(c.taps() * c.filters) {
    for (int64_t f = 0; f < c.filters; f += kBlock)
      for (int64_t k = 0; k < c.taps(); k++)
        std::memcpy(&weight_[f * c.taps() + k * kBlock], weight + k * c.filters + f, kBlock * sizeof(float));
  }

  // Turn to a sample, (frames, height, width, channels).
  void see(const float* x) { x_ = x; }

  // The first `width` positions of an output row, for the block of filters that starts with `filter`. bias may be null.
  template <class Sink>
  void convolve(int64_t frame, int64_t row, int64_t width, int64_t filter, const float* bias, Sink& sink) const {
    const float* x = x_ + c_.at(frame, row);
    const float* weight = &weight_[filter * c_.taps()];
    switch (c_.channels) {
      case 1: return convolve_row<1>(x, 0, width, weight, bias, sink);
      case 3: return convolve_row<3>(x, 0, width, weight, bias, sink);
      case 16: return convolve_row<16>(x, 0, width, weight, bias, sink);
    }
  }

  // Forget the weights' gradients of a block of filters that were added up so far.
  void begin_gradients() { gradients_.assign(offsets_.size() * kBlock, 0.0f); }

  // Add to them what an output row's gradients (width, 16) say.
  void correlate(int64_t frame, int64_t row, int64_t width, const float* d_row) {
    const float* x = x_ + c_.at(frame, row);
    switch (c_.channels) {
      case 1: return correlate_row<1>(x, width, d_row);
      case 3: return correlate_row<3>(x, width, d_row);
      case 16: return correlate_row<16>(x, width, d_row);
    }
  }

  // Add them, of the block that starts with `filter`, to (taps, filters).
  void end_gradients(int64_t filter, double* d_weight) const {
    for (size_t k = 0; k < offsets_.size(); k++)
      for (int i = 0; i < kBlock; i++) d_weight[k * c_.filters + filter + i] += gradients_[k * kBlock + i];
  }

 private:
  // As many positions, and as many taps of the gradient, as the registers hold sums of.
#if FLEETING_LANES == 8 || defined(__aarch64__)
  static constexpr int kPositions[] = {6, 3, 1}, kTaps = 6;
#else
  static constexpr int kPositions[] = {3, 1}, kTaps = 3;
#endif

  // Step is the distance between neighbouring positions: the channels, as a constant, so that addresses cost nothing.
  template <int Step, int Choice = 0, class Sink>
  FLEETING_INLINE void convolve_row(const float* x, int64_t from, int64_t width, const float* weight, const float* bias,
                                    Sink& sink) const {
    constexpr int J = kPositions[Choice];
    for (; from + J <= width; from += J) {
      Sums<J> sums;
      convolve_positions<J, Step>(x + from * Step, weight, bias, sums);
      sink.template take<J>(from, sums);
    }
    if constexpr (J > 1) convolve_row<Step, Choice + 1>(x, from, width, weight, bias, sink);
  }

  template <int J, int Step>
  FLEETING_INLINE void convolve_positions(const float* x, const float* weight, const float* bias, Sums<J>& sums) const {
    FLEETING_UNROLL
    for (int j = 0; j < J; j++)
      for (int v = 0; v < kVectors; v++) sums[j][v] = bias ? load(bias + v * kLanes) : Floats{};
    for (const int64_t offset : offsets_) {
      const float* from = x + offset;
      Floats w[kVectors];
      for (int v = 0; v < kVectors; v++) w[v] = load(weight + v * kLanes);
      weight += kBlock;
      FLEETING_UNROLL
      for (int j = 0; j < J; j++) {
        const Floats value = all(from[j * Step]);
        for (int v = 0; v < kVectors; v++) sums[j][v] += value * w[v];
      }
    }
  }

  template <int Step>
  FLEETING_INLINE void correlate_row(const float* x, int64_t width, const float* d_row) {
    const int64_t taps = static_cast<int64_t>(offsets_.size());
    int64_t k = 0;
    for (; k + kTaps <= taps; k += kTaps) correlate_taps<kTaps, Step>(x, width, k, d_row);
    for (; k < taps; k++) correlate_taps<1, Step>(x, width, k, d_row);
  }

  template <int G, int Step>
  FLEETING_INLINE void correlate_taps(const float* x, int64_t width, int64_t tap, const float* d_row) {
    float* gradients = &gradients_[tap * kBlock];
    Floats sums[G][kVectors];
    const float* from[G];
    FLEETING_UNROLL
    for (int g = 0; g < G; g++) {
      from[g] = x + offsets_[tap + g];
      for (int v = 0; v < kVectors; v++) sums[g][v] = load(gradients + g * kBlock + v * kLanes);
    }
    for (int64_t w = 0; w < width; w++) {
      Floats d[kVectors];
      for (int v = 0; v < kVectors; v++) d[v] = load(d_row + w * kBlock + v * kLanes);
      FLEETING_UNROLL
      for (int g = 0; g < G; g++) {
        const Floats value = all(from[g][w * Step]);
        for (int v = 0; v < kVectors; v++) sums[g][v] += value * d[v];
      }
    }
    FLEETING_UNROLL
    for (int g = 0; g < G; g++)
      for (int v = 0; v < kVectors; v++) store(gradients + g * kBlock + v * kLanes, sums[g][v]);
  }

  Convolution c_;
  std::vector<int64_t> offsets_;
  std::vector<float> weight_;     // (filters / 16, taps, 16)
  std::vector<float> gradients_;  // (taps, 16)
  const float* x_ = nullptr;
};

}  // namespace fleeting

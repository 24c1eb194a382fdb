// Rows of a 3-D convolution whose kernel is three wide, by minimal filtering along the width. It takes 32 registers to pay.
#pragma once

#include <memory>

#include "direct.hpp"
#include "filtering.hpp"

namespace fleeting {

class WinogradRows {
 public:
  static constexpr bool kEndsOften = true;

  // The kernel is three wide.
  WinogradRows(const Convolution& c, const float* weight)
      : c_(c), tiles_((c.out_width() + kTile - 1) / kTile), row_(tiles_ * kPoints * c.channels),
        offsets_(tap_offsets(c, 1, row_, 0)), weight_(offsets_.size() * kPoints * c.filters),
        x_(new float[c.frames * c.height * row_]), d_row_(tiles_ * kPoints * kBlock) {
    const int64_t step = c.channels * c.filters;
    for (int64_t f = 0; f < c.filters; f++)
      for (size_t k = 0; k < offsets_.size(); k++) {
        // Of (frame, row, 3, channel), the three neighbours in width.
        const float* from = weight + (k / c.channels * kTile * c.channels + k % c.channels) * c.filters + f;
        const double w[kTile] = {from[0], from[step], from[2 * step]};
        double points[kPoints];
        weight_points(w, 1, points);
        float* to = &weight_[((f / kBlock * offsets_.size() + k) * kPoints) * kBlock + f % kBlock];
        for (int i = 0; i < kPoints; i++) to[i * kBlock] = static_cast<float>(points[i]);
      }
  }

  void see(const float* x) {
    const int64_t n = c_.channels, rows = c_.frames * c_.height;
    const int64_t whole = c_.width < kPoints ? 0 : (c_.width - kPoints) / kTile + 1;
    for (int64_t r = 0; r < rows; r++, x += c_.width * n) {
      float* to = &x_[r * row_];
      switch (n) {
        case 1: transform<1>(x, whole, to); break;
        case 3: transform<3>(x, whole, to); break;
        case 16: transform<16>(x, whole, to); break;
      }
      if (whole < tiles_) {  // The last tile reaches beyond the row; what is there counts for nothing.
        float rest[kPoints * kMostChannels] = {};
        std::memcpy(rest, x + whole * kTile * n, (c_.width - whole * kTile) * n * sizeof(float));
        switch (n) {
          case 1: transform<1>(rest, 1, to + whole * kPoints); break;
          case 3: transform<3>(rest, 1, to + whole * kPoints * 3); break;
          case 16: transform<16>(rest, 1, to + whole * kPoints * 16); break;
        }
      }
    }
  }

  template <class Sink>
  void convolve(int64_t frame, int64_t row, int64_t width, int64_t filter, const float* bias, Sink& sink) const {
    const float* x = &x_[(frame * c_.height + row) * row_];
    const float* weight = &weight_[filter * offsets_.size() * kPoints];
    switch (c_.channels) {
      case 1: return convolve_row<1>(x, 0, width, weight, bias, sink);
      case 3: return convolve_row<3>(x, 0, width, weight, bias, sink);
      case 16: return convolve_row<16>(x, 0, width, weight, bias, sink);
    }
  }

  void begin_gradients() { gradients_.assign(offsets_.size() * kPoints * kBlock, 0.0f); }

  void correlate(int64_t frame, int64_t row, int64_t width, const float* d_row) {
    for (int64_t tile = 0; tile < tiles_; tile++) {
      const float* from = d_row + tile * kTile * kBlock;
      const int64_t left = width - tile * kTile;
      for (int v = 0; v < kVectors; v++, from += kLanes) {
        const Floats d[kTile] = {load(from), left > 1 ? load(from + kBlock) : Floats{},
                                 left > 2 ? load(from + 2 * kBlock) : Floats{}};
        Floats points[kPoints];
        gradient_points(d, points);
        for (int i = 0; i < kPoints; i++) store(&d_row_[(tile * kPoints + i) * kBlock + v * kLanes], points[i]);
      }
    }
    const float* x = &x_[(frame * c_.height + row) * row_];
    switch (c_.channels) {
      case 1: return correlate_row<1>(x);
      case 3: return correlate_row<3>(x);
      case 16: return correlate_row<16>(x);
    }
  }

  void end_gradients(int64_t filter, double* d_weight) const {
    const int64_t step = c_.channels * c_.filters;
    for (size_t k = 0; k < offsets_.size(); k++)
      for (int i = 0; i < kBlock; i++) {
        double m[kPoints];
        for (int p = 0; p < kPoints; p++) m[p] = gradients_[(k * kPoints + p) * kBlock + i];
        double* to = d_weight + (k / c_.channels * kTile * c_.channels + k % c_.channels) * c_.filters + filter + i;
        double d[kTile];
        weight_gradient(m, d);
        for (int w = 0; w < kTile; w++) to[w * step] += d[w];
      }
  }

 private:
  static constexpr int kMostChannels = 16;
  // Tiles whose sums are kept in registers at once.
  static constexpr int kTiles[] = {4, 2, 1};
  // The same of the gradient's taps.
  static constexpr int kTaps[] = {5, 4, 2, 1};

  // B^T x of whole tiles, (tiles, 5, channels).
  template <int Channels>
  static void transform(const float* x, int64_t tiles, float* to) {
    for (int64_t tile = 0; tile < tiles; tile++, x += kTile * Channels, to += kPoints * Channels)
      for (int c = 0; c < Channels; c++) {
        float values[kPoints], points[kPoints];
        for (int i = 0; i < kPoints; i++) values[i] = x[i * Channels + c];
        input_points(values, points);
        for (int i = 0; i < kPoints; i++) to[i * Channels + c] = points[i];
      }
  }

  template <int Step, int Choice = 0, class Sink>
  FLEETING_INLINE void convolve_row(const float* x, int64_t from, int64_t width, const float* weight, const float* bias,
                                    Sink& sink) const {
    constexpr int N = kTiles[Choice], J = N * kTile;
    for (; from + J <= width; from += J) {
      Sums<J> sums;
      convolve_tiles<N, Step>(x + from / kTile * kPoints * Step, weight, bias, sums);
      sink.template take<J>(from, sums);
    }
    if constexpr (N > 1) {
      convolve_row<Step, Choice + 1>(x, from, width, weight, bias, sink);
    } else if (from < width) {
      Sums<kTile> sums;
      convolve_tiles<1, Step>(x + from / kTile * kPoints * Step, weight, bias, sums);
      for (int j = 0; from < width; j++, from++) {
        Sums<1> one;
        for (int v = 0; v < kVectors; v++) one[0][v] = sums[j][v];
        sink.template take<1>(from, one);
      }
    }
  }

  template <int N, int Step>
  FLEETING_INLINE void convolve_tiles(const float* x, const float* weight, const float* bias,
                                      Sums<N * kTile>& sums) const {
    for (int v = 0; v < kVectors; v++) {
      Floats m[N][kPoints];
      FLEETING_UNROLL
      for (int n = 0; n < N; n++)
        for (int i = 0; i < kPoints; i++) m[n][i] = Floats{};
      const float* w = weight + v * kLanes;
      for (const int64_t offset : offsets_) {
        const float* from = x + offset;
        FLEETING_UNROLL
        for (int i = 0; i < kPoints; i++) {
          const Floats factor = load(w + i * kBlock);
          for (int n = 0; n < N; n++) m[n][i] += all(from[(n * kPoints + i) * Step]) * factor;
        }
        w += kPoints * kBlock;
      }
      const Floats b = bias ? load(bias + v * kLanes) : Floats{};
      FLEETING_UNROLL
      for (int n = 0; n < N; n++) {
        const Floats sum = m[n][1] + m[n][2], difference = m[n][1] - m[n][2];
        sums[n * kTile][v] = b + m[n][0] + sum + m[n][3];
        sums[n * kTile + 1][v] = b + difference + 2.0f * m[n][3];
        sums[n * kTile + 2][v] = b + sum + 4.0f * m[n][3] + m[n][4];
      }
    }
  }

  template <int Step, int Choice = 0>
  FLEETING_INLINE void correlate_row(const float* x, int64_t tap = 0) {
    constexpr int G = kTaps[Choice];
    for (; tap + G <= static_cast<int64_t>(offsets_.size()); tap += G) correlate_taps<G, Step>(x, tap);
    if constexpr (G > 1) correlate_row<Step, Choice + 1>(x, tap);
  }

  template <int G, int Step>
  FLEETING_INLINE void correlate_taps(const float* x, int64_t tap) {
    float* gradients = &gradients_[tap * kPoints * kBlock];
    const float* from[G];
    for (int g = 0; g < G; g++) from[g] = x + offsets_[tap + g];
    for (int v = 0; v < kVectors; v++) {
      Floats sums[G][kPoints];
      FLEETING_UNROLL
      for (int g = 0; g < G; g++)
        for (int i = 0; i < kPoints; i++) sums[g][i] = load(gradients + (g * kPoints + i) * kBlock + v * kLanes);
      const float* d = &d_row_[v * kLanes];
      for (int64_t tile = 0, at = 0; tile < tiles_; tile++, at += kPoints * Step, d += kPoints * kBlock) {
        FLEETING_UNROLL
        for (int i = 0; i < kPoints; i++) {
          const Floats factor = load(d + i * kBlock);
          for (int g = 0; g < G; g++) sums[g][i] += all(from[g][at + i * Step]) * factor;
        }
      }
      FLEETING_UNROLL
      for (int g = 0; g < G; g++)
        for (int i = 0; i < kPoints; i++) store(gradients + (g * kPoints + i) * kBlock + v * kLanes, sums[g][i]);
    }
  }

  Convolution c_;
  int64_t tiles_, row_;
  std::vector<int64_t> offsets_;  // of the taps without width, in what `see` makes
  std::vector<float> weight_;     // (filters / 16, taps, 5, 16)
  // (frames, height, tiles, 5, channels); `see` writes all of it, so there is nothing to begin with.
  std::unique_ptr<float[]> x_;
  std::vector<float> d_row_;      // (tiles, 5, 16)
  std::vector<float> gradients_;  // (taps, 5, 16)
};

}  // namespace fleeting

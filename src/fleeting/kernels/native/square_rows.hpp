// Rows of a 3-D convolution of 16 channels whose kernel is 3 by 3 in space, by minimal filtering along both axes. Rows come
// in threes: the first of them that is asked for brings the others.
//
// A lane is a channel of the input and a filter of the output, which is how both lie in memory. It takes vectors of 16.
#pragma once

#include "direct.hpp"
#include "squares.hpp"

namespace fleeting {

class SquareRows {
 public:
  static constexpr bool kEndsOften = false;

  SquareRows(const Convolution& c, const float* weight)
      : c_(c), tiles_((c.out_width() + kTile - 1) / kTile), taps_(c.kernel_frames * kBlock),
        weight_(c.filters / kBlock * kSquare * taps_), x_(c.frames * kSquare * tiles_), products_(kSquare * tiles_),
        rows_(kTile * tiles_ * kTile), d_rows_(rows_.size()) {
    for (int64_t f = 0; f < c.filters; f++)
      for (int64_t k = 0; k < taps_; k++) {
        double square[kSquare];
        weight_square(c, weight, k, f, square);
        for (int p = 0; p < kSquare; p++)
          weight_[((f / kBlock * kSquare + p) * taps_ + k)][f % kBlock] = static_cast<float>(square[p]);
      }
  }

  // Turn to a sample, (frames, height, width, 16).
  void see(const float* x) { sample_ = x, row_ = frame_ = -1; }

  // As DirectRows does.
  template <class Sink>
  void convolve(int64_t frame, int64_t row, int64_t width, int64_t filter, const float* bias, Sink& sink) {
    transform(row / kTile);
    if (frame != frame_ || filter != filter_) multiply(frame, filter, bias);
    const Floats* from = &rows_[row % kTile * tiles_ * kTile];
    int64_t at = 0;
    for (; at + kTile <= width; at += kTile) {
      Sums<kTile> sums;
      for (int j = 0; j < kTile; j++) sums[j][0] = from[at + j];
      sink.template take<kTile>(at, sums);
    }
    for (; at < width; at++) {
      Sums<1> one;
      one[0][0] = from[at];
      sink.template take<1>(at, one);
    }
  }

  void begin_gradients() { gradients_.assign(kSquare * taps_, Floats{}); }

  // The rows of a frame are to come in their order.
  void correlate(int64_t frame, int64_t row, int64_t width, const float* d_row) {
    Floats* to = &d_rows_[row % kTile * tiles_ * kTile];
    for (int64_t w = 0; w < width; w++) to[w] = load(d_row + w * kBlock);
    const bool last = row == c_.out_height() - 1;
    if (row % kTile != kTile - 1 && !last) return;
    // What was never written is zero, to the right; rows below the last are made so.
    for (int64_t i = row % kTile + 1; i < kTile; i++) std::fill_n(&d_rows_[i * tiles_ * kTile], tiles_ * kTile, Floats{});
    transform(row / kTile);
    for (int64_t tile = 0; tile < tiles_; tile++) {
      Floats d[kPositions], points[kSquare];
      for (int i = 0; i < kPositions; i++) d[i] = d_rows_[i / kTile * tiles_ * kTile + tile * kTile + i % kTile];
      gradient_square(d, points);
      for (int p = 0; p < kSquare; p++) products_[p * tiles_ + tile] = points[p];
    }
    for (int p = 0; p < kSquare; p++)
      for (int64_t t = 0; t < c_.kernel_frames; t++)
        correlate_point(&x_[((frame + t) * kSquare + p) * tiles_], &products_[p * tiles_],
                        &gradients_[p * taps_ + t * kBlock]);
  }

  // Add them, of the block that starts with `filter`, to (taps, filters).
  void end_gradients(int64_t filter, double* d_weight) const {
    for (int64_t k = 0; k < taps_; k++)
      for (int i = 0; i < kBlock; i++) {
        double square[kSquare];
        for (int p = 0; p < kSquare; p++) square[p] = gradients_[p * taps_ + k][i];
        add_weight_gradient(c_, square, k, filter + i, d_weight);
      }
  }

 private:
  // Tiles whose sums are kept in registers at once.
  static constexpr int kTiles[] = {14, 7, 3, 1};

  // Turn to a row of tiles, in all frames.
  void transform(int64_t row) {
    if (row == row_) return;
    row_ = row, frame_ = -1;
    for (int64_t t = 0; t < c_.frames; t++)
      for (int64_t tile = 0; tile < tiles_; tile++) {
        Floats x[kSquare], points[kSquare];
        for (int i = 0; i < kSquare; i++) {
          // The last tiles reach beyond the input; what is there counts for nothing.
          const int64_t h = row * kTile + i / kPoints, w = tile * kTile + i % kPoints;
          x[i] = h < c_.height && w < c_.width ? load(sample_ + c_.at(t, h) + w * kBlock) : Floats{};
        }
        input_square(x, points);
        for (int p = 0; p < kSquare; p++) x_[(t * kSquare + p) * tiles_ + tile] = points[p];
      }
  }

  void multiply(int64_t frame, int64_t filter, const float* bias) {
    frame_ = frame, filter_ = filter;
    for (int p = 0; p < kSquare; p++) multiply_point<0>(frame, p, &weight_[(filter / kBlock * kSquare + p) * taps_], 0);
    const Floats b = bias ? load(bias) : Floats{};
    for (int64_t tile = 0; tile < tiles_; tile++) {
      Floats m[kSquare], y[kPositions];
      for (int p = 0; p < kSquare; p++) m[p] = products_[p * tiles_ + tile];
      output_square(m, y);
      for (int i = 0; i < kPositions; i++) rows_[i / kTile * tiles_ * kTile + tile * kTile + i % kTile] = y[i] + b;
    }
  }

  template <int Choice>
  void multiply_point(int64_t frame, int point, const Floats* weight, int64_t tile) {
    constexpr int N = kTiles[Choice];
    for (; tile + N <= tiles_; tile += N) {
      Floats sums[N] = {};
      const Floats* w = weight;
      for (int64_t t = frame; t < frame + c_.kernel_frames; t++, w += kBlock) {
        const float* x = numbers(&x_[(t * kSquare + point) * tiles_ + tile]);
        for (int channel = 0; channel < kBlock; channel++) {
          FLEETING_UNROLL
          for (int n = 0; n < N; n++) sums[n] += all(x[n * kBlock + channel]) * w[channel];
        }
      }
      for (int n = 0; n < N; n++) products_[point * tiles_ + tile + n] = sums[n];
    }
    if constexpr (N > 1) multiply_point<Choice + 1>(frame, point, weight, tile);
  }

  void correlate_point(const Floats* from, const Floats* d, Floats* gradients) const {
    Floats sums[kBlock];
    for (int i = 0; i < kBlock; i++) sums[i] = gradients[i];
    const float* x = numbers(from);
    for (int64_t tile = 0; tile < tiles_; tile++, x += kBlock) {
      FLEETING_UNROLL
      for (int i = 0; i < kBlock; i++) sums[i] += all(x[i]) * d[tile];
    }
    for (int i = 0; i < kBlock; i++) gradients[i] = sums[i];
  }

  Convolution c_;
  int64_t tiles_, taps_;
  std::vector<Floats> weight_;     // (filters / 16, 25, frames * 16)
  std::vector<Floats> x_;          // (frames, 25, tiles): the row of tiles at hand
  std::vector<Floats> products_;   // (25, tiles)
  std::vector<Floats> rows_;       // (3, tiles * 3): what came of it
  std::vector<Floats> d_rows_;     // (3, tiles * 3): gradients that were handed over
  std::vector<Floats> gradients_;  // (25, frames * 16)
  const float* sample_ = nullptr;
  int64_t row_ = -1, frame_ = -1, filter_ = -1;
};

}  // namespace fleeting

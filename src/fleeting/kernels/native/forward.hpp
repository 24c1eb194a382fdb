// Convolution, ReLU, batch statistics and max-pooling in one pass: the convolution's output never reaches memory.
#pragma once

#include <limits>

#include "direct.hpp"

namespace fleeting {

struct ForwardTensors {
  const float* x;
  const float* weight;  // (taps, filters)
  const float* bias;
  // Of the pooling's choice: 1 where the largest value is wanted, -1 where the smallest. Null: the largest everywhere.
  const float* sign;
  float* pooled;       // (samples, frames / 3, height / 3, width / 3, filters), of the convolution's output
  uint8_t* chosen;     // like pooled: which of the 27 was chosen, the first in case of a tie. Null in prediction.
  double* statistics;  // (samples, 2, filters): sums of the values behind ReLU and of their squares. May be null.
  float* values;       // (samples, frames, height, width, filters): the values behind ReLU. Null unless statistics are
                       // asked for, and where computing them again is cheaper than keeping them.
};

// Takes a row's sums, keeps the largest of every three and which it was, and adds up the statistics.
template <bool Statistics, bool Signed, bool Chosen>
struct PoolRow {
  float* best;       // (width / 3, 16)
  int32_t* where;    // like best
  const float* sign;
  int32_t code;      // of the row's first position, among the 27
  bool pool;
  float* values = nullptr;  // (width, filters)
  int64_t filters = 0;
  Floats total[kVectors] = {}, squares[kVectors] = {};

  template <int J>
  FLEETING_INLINE void take(int64_t position, Sums<J>& sums) {
    if constexpr (Statistics) {
      FLEETING_UNROLL
      for (int j = 0; j < J; j++)
        for (int v = 0; v < kVectors; v++) {
          sums[j][v] = relu(sums[j][v]);
          total[v] += sums[j][v];
          squares[v] += sums[j][v] * sums[j][v];
        }
      if (values)
        for (int j = 0; j < J; j++)
          for (int v = 0; v < kVectors; v++) store(values + (position + j) * filters + v * kLanes, sums[j][v]);
    }
    // Groups that are no multiple of three are what the pooling drops.
    if constexpr (J % kPool == 0) {
      if (!pool) return;
      FLEETING_UNROLL
      for (int j = 0; j < J; j += kPool)
        for (int v = 0; v < kVectors; v++) {
          const int64_t cell = (position + j) / kPool * kBlock + v * kLanes;
          Floats most = load(best + cell);
          Ints index = Chosen ? load(where + cell) : Ints{};
          for (int i = 0; i < kPool; i++) {
            const Floats value = Signed ? sums[j + i][v] * load(sign + v * kLanes) : sums[j + i][v];
            if constexpr (Chosen) index = value > most ? all(code + i) : index;
            most = value > most ? value : most;
          }
          store(best + cell, most);
          if constexpr (Chosen) store(where + cell, index);
        }
    }
  }
};

template <bool Statistics, bool Signed, bool Chosen, class Rows>
void forward_sample(const Convolution& c, Rows& rows_of_x, const ForwardTensors& to) {
  const int64_t frames = c.out_frames() / kPool, rows = c.out_height() / kPool, columns = c.out_width() / kPool;
  // Statistics are of all positions; the rest is of those that the pooling does not drop.
  const int64_t last_frame = Statistics ? c.out_frames() : frames * kPool;
  const int64_t last_row = Statistics ? c.out_height() : rows * kPool;
  const int64_t width = Statistics ? c.out_width() : columns * kPool;
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  std::vector<float> best(columns * kBlock);
  std::vector<int32_t> where(columns * kBlock);
  for (int64_t row = 0; row < last_row; row += kPool)
    for (int64_t frame = 0; frame < last_frame; frame += kPool)
      for (int64_t f = 0; f < c.filters; f += kBlock) {
        std::fill(best.begin(), best.end(), kNone);
        std::fill(where.begin(), where.end(), 0);
        PoolRow<Statistics, Signed, Chosen> sink{best.data(), where.data(), Signed ? to.sign + f : nullptr, 0,
                                         frame / kPool < frames && row / kPool < rows, nullptr, c.filters};
        for (int64_t t = frame; t < std::min(frame + kPool, last_frame); t++)
          for (int64_t h = row; h < std::min(row + kPool, last_row); h++) {
            sink.code = static_cast<int32_t>(((t - frame) * kPool + h - row) * kPool);
            if (to.values) sink.values = to.values + (t * c.out_height() + h) * width * c.filters + f;
            rows_of_x.convolve(t, h, width, f, to.bias + f, sink);
          }
        if constexpr (Statistics)
          for (int i = 0; i < kBlock; i++) {
            to.statistics[f + i] += sink.total[i / kLanes][i % kLanes];
            to.statistics[c.filters + f + i] += sink.squares[i / kLanes][i % kLanes];
          }
        if (!sink.pool) continue;
        const int64_t at = (frame / kPool * rows + row / kPool) * columns * c.filters + f;
        for (int64_t column = 0; column < columns; column++)
          for (int v = 0; v < kVectors; v++) {
            const int64_t cell = column * kBlock + v * kLanes, out = at + column * c.filters + v * kLanes;
            Floats value = load(&best[cell]);
            if constexpr (Signed) value *= load(to.sign + f + v * kLanes);
            // All were NaN, so nothing was larger than nothing; it must not pass for a zero.
            const Floats nothing = load(&best[cell]) == all(kNone) ? all(std::numeric_limits<float>::quiet_NaN()) : value;
            store(to.pooled + out, Statistics ? nothing : relu(nothing));
            if constexpr (Chosen) store(to.chosen + out, load(&where[cell]));
          }
      }
}

template <class Rows>
void forward(const Convolution& c, ForwardTensors to) {
  Rows rows_of_x(c, to.weight);
  const int64_t cells = c.out_frames() / kPool * (c.out_height() / kPool) * (c.out_width() / kPool) * c.filters;
  if (to.statistics) std::fill(to.statistics, to.statistics + c.samples * 2 * c.filters, 0.0);
  for (int64_t n = 0; n < c.samples; n++) {
    rows_of_x.see(to.x);
    if (to.statistics)
      (to.sign ? forward_sample<true, true, true, Rows> : forward_sample<true, false, true, Rows>)(c, rows_of_x, to);
    else if (to.chosen)
      forward_sample<false, false, true, Rows>(c, rows_of_x, to);
    else
      (to.sign ? forward_sample<false, true, false, Rows> : forward_sample<false, false, false, Rows>)(c, rows_of_x, to);
    to.x += c.sample_size();
    to.pooled += cells;
    if (to.chosen) to.chosen += cells;
    if (to.statistics) to.statistics += 2 * c.filters;
    if (to.values) to.values += c.out_size();
  }
}

}  // namespace fleeting

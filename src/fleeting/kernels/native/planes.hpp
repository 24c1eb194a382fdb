// A convolution, ReLU, batch statistics and max-pooling of single frames, forward and backward: pooling in space alone,
// with a border that belongs to no cell. Frames are samples here.
//
// Of networks that see a frame of optical flow the input is small: it arrives channels first, as batches are made, and
// gets its padding and its order a frame at a time, in the cache. Nothing asks for its gradient.
#pragma once

#include <algorithm>
#include <limits>

#include "backward.hpp"

namespace fleeting {

// The order is that of the Python side.
struct Plane {
  int64_t samples, channels, height, width;  // of the input, without padding
  int64_t filters;                           // a multiple of 16
  int64_t kernel_height, kernel_width;
  int64_t padding;  // zeros around the input
  int64_t border;   // positions around the convolution's output that the pooling steps over: 0 to 2

  Convolution convolution() const {
    return {1, 1, height + 2 * padding, width + 2 * padding, channels, filters, 1, kernel_height, kernel_width};
  }
  static int64_t cells(int64_t size, int64_t border) { return (size + 2 * border) / kPool; }
};

// One frame at a time, channels last and with its padding.
class PaddedFrame {
 public:
  explicit PaddedFrame(const Plane& p)
      : p_(p), row_((p.width + 2 * p.padding) * p.channels), frame_((p.height + 2 * p.padding) * row_) {}

  const float* fill(const float* x) {
    for (int64_t c = 0; c < p_.channels; c++)
      for (int64_t h = 0; h < p_.height; h++, x += p_.width) {
        float* to = &frame_[(h + p_.padding) * row_ + p_.padding * p_.channels + c];
        for (int64_t w = 0; w < p_.width; w++) to[w * p_.channels] = x[w];
      }
    return frame_.data();
  }

 private:
  Plane p_;
  int64_t row_;
  std::vector<float> frame_;
};

struct PlaneForward {
  const float* x;  // (samples, channels, height, width)
  const float* weight;  // (taps, filters)
  const float* bias;
  const float* sign;   // 1 where the largest value is wanted, -1 where the smallest. Null: the largest everywhere.
  float* pooled;       // (samples, rows, columns, filters)
  uint8_t* chosen;     // like pooled: which of the 9 was chosen, the first in case of a tie. Null in prediction.
  double* statistics;  // (2, filters): sums of the values behind ReLU and of their squares. Null in prediction.
};

template <class Rows>
void plane_forward(const Plane& p, PlaneForward to) {
  const Convolution c = p.convolution();
  const int64_t height = c.out_height(), width = c.out_width(), filters = p.filters;
  const int64_t rows = Plane::cells(height, p.border), columns = Plane::cells(width, p.border);
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  Rows rows_of_x(c, to.weight);
  PaddedFrame frame(p);
  std::vector<float> row(width * kBlock), best(columns * kBlock);
  std::vector<int32_t> where(columns * kBlock);
  if (to.statistics) std::fill(to.statistics, to.statistics + 2 * filters, 0.0);
  for (int64_t n = 0; n < p.samples; n++, to.x += p.channels * p.height * p.width) {
    rows_of_x.see(frame.fill(to.x));
    for (int64_t f = 0; f < filters; f += kBlock) {
      for (int64_t h = 0; h < height; h++) {
        const int64_t cell = (h + p.border) / kPool, inside = (h + p.border) % kPool;
        const bool pool = cell < rows;
        // What the pooling leaves over is of interest to the statistics alone.
        if (!pool && !to.statistics) break;
        KeepRow sink{row.data()};
        rows_of_x.convolve(0, h, width, f, to.bias + f, sink);
        if (h == 0 || inside == 0) {
          std::fill(best.begin(), best.end(), kNone);
          std::fill(where.begin(), where.end(), 0);
        }
        for (int v = 0; v < kVectors; v++) {
          if (to.statistics) {
            // In single precision within a row, in double across rows.
            Floats sum = {}, square = {};
            for (int64_t w = 0; w < width; w++) {
              const Floats y = load(&row[w * kBlock + v * kLanes]);
              sum += y;
              square += y * y;
            }
            double* statistics = to.statistics + f + v * kLanes;
            for (int i = 0; i < kLanes; i++) {
              statistics[i] += sum[i];
              statistics[filters + i] += square[i];
            }
          }
          if (!pool) continue;
          const Floats sign = to.sign ? load(to.sign + f + v * kLanes) : all(1.0f);
          for (int64_t column = 0; column < columns; column++) {
            const int64_t at = column * kBlock + v * kLanes, start = column * kPool - p.border;
            Floats most = load(&best[at]);
            Ints index = load(&where[at]);
            for (int64_t i = std::max<int64_t>(-start, 0); i < kPool && start + i < width; i++) {
              const Floats value = load(&row[(start + i) * kBlock + v * kLanes]) * sign;
              index = value > most ? all(static_cast<int32_t>(inside * kPool + i)) : index;
              most = value > most ? value : most;
            }
            store(&best[at], most);
            store(&where[at], index);
          }
        }
        if (!pool || (inside != kPool - 1 && h != height - 1)) continue;
        for (int64_t column = 0; column < columns; column++)
          for (int v = 0; v < kVectors; v++) {
            const int64_t at = column * kBlock + v * kLanes;
            const int64_t out = (cell * columns + column) * filters + f + v * kLanes;
            Floats value = load(&best[at]);
            // All were NaN, so nothing was larger than nothing; it must not pass for a zero.
            const auto nothing = value == all(kNone);
            if (to.sign) value *= load(to.sign + f + v * kLanes);
            store(to.pooled + out, nothing ? all(std::numeric_limits<float>::quiet_NaN()) : value);
            if (to.chosen) store(to.chosen + out, load(&where[at]));
          }
      }
    }
    to.pooled += rows * columns * filters;
    if (to.chosen) to.chosen += rows * columns * filters;
  }
}

struct PlaneBackward {
  const float* x;
  const float* weight;
  const float* bias;
  const float* gradient;  // of the pooled values, multiplied by scale already
  const uint8_t* chosen;
  const float* slope;   // (filters), as in BackwardTensors
  const float* offset;  // (filters)
  double* d_weight;     // (taps, filters)
  double* d_bias;       // (filters)
};

template <class Rows>
void plane_backward(const Plane& p, PlaneBackward to) {
  const Convolution c = p.convolution();
  const int64_t height = c.out_height(), width = c.out_width(), filters = p.filters;
  const int64_t rows = Plane::cells(height, p.border), columns = Plane::cells(width, p.border);
  Rows rows_of_x(c, to.weight);
  PaddedFrame frame(p);
  // Zeros around a row stand for the border: a value of zero has no gradient.
  const int64_t wide = width + 2 * p.border;
  std::vector<float> row(wide * kBlock);
  float* inner = &row[p.border * kBlock];
  std::fill(to.d_weight, to.d_weight + c.taps() * filters, 0.0);
  std::fill(to.d_bias, to.d_bias + filters, 0.0);
  for (int64_t n = 0; n < p.samples; n++, to.x += p.channels * p.height * p.width) {
    rows_of_x.see(frame.fill(to.x));
    for (int64_t f = 0; f < filters; f += kBlock) {
      // In single precision within a frame, in double across frames.
      rows_of_x.begin_gradients();
      Floats total[kVectors] = {};
      for (int64_t h = 0; h < height; h++) {
        KeepRow sink{inner};
        rows_of_x.convolve(0, h, width, f, to.bias + f, sink);
        const int64_t r = (h + p.border) / kPool, cell = r * columns * filters + f;
        const auto code = static_cast<int32_t>((h + p.border) % kPool * kPool);
        differentiate_row(row.data(), wide, columns, r < rows ? to.gradient + cell : nullptr, to.chosen + cell, filters,
                          code, nullptr, to.slope + f, to.offset + f, total);
        rows_of_x.correlate(0, h, width, inner);
      }
      rows_of_x.end_gradients(f, to.d_weight);
      for (int i = 0; i < kBlock; i++) to.d_bias[f + i] += total[i / kLanes][i % kLanes];
    }
    to.gradient += rows * columns * filters;
    to.chosen += rows * columns * filters;
  }
}

}  // namespace fleeting

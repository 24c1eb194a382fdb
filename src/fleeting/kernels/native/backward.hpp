// Gradients of convolution, ReLU, batch normalisation and max-pooling, rebuilt a row at a time while it is in cache.
//
// Of a value y behind ReLU, the gradient is (y > 0) * (offset + slope * y + [chosen by the pooling] * gradient * scale):
// the first two terms are its share in mean and variance.
#pragma once

#include <algorithm>

#include "direct.hpp"

namespace fleeting {

struct BackwardTensors {
  const float* x;
  const float* weight;    // (taps, filters)
  const float* bias;
  const float* values;    // as the forward pass kept them, or null: they are computed again
  const float* gradient;  // of the pooled values
  const uint8_t* chosen;
  const float* scale;     // (filters)
  const float* slope;     // (filters)
  const float* offset;    // (filters)
  double* d_weight;       // (samples, taps, filters)
  double* d_bias;         // (samples, filters)
  // Gradient of the convolution's output, inside a border of zeros that the caller has laid down:
  // (samples, frames + 2 * border, height + 2 * border, width + 2 * border, filters). Null where no one asks for it.
  float* d_output;
  int64_t border;
};

// Takes a row's sums and keeps them, behind ReLU.
struct KeepRow {
  float* row;  // (width, 16)

  template <int J>
  FLEETING_INLINE void take(int64_t position, Sums<J>& sums) {
    FLEETING_UNROLL
    for (int j = 0; j < J; j++)
      for (int v = 0; v < kVectors; v++) store(row + (position + j) * kBlock + v * kLanes, relu(sums[j][v]));
  }
};

// Turn a row of values (width, 16) into their gradients, in place; add these to `total`. Without a scale the gradients from
// above were multiplied by it before.
FLEETING_INLINE void differentiate_row(float* row, int64_t width, int64_t columns, const float* gradient,
                                       const uint8_t* chosen, int64_t filters, int32_t code, const float* scale,
                                       const float* slope, const float* offset, Floats (&total)[kVectors]) {
  for (int v = 0; v < kVectors; v++) {
    const Floats a = load(slope + v * kLanes), b = load(offset + v * kLanes);
    const Floats factor = scale ? load(scale + v * kLanes) : all(1.0f);
    Floats sum = total[v];
    int64_t w = 0;
    if (gradient)
      for (int64_t column = 0; column < columns; column++) {
        const Floats above = load(gradient + column * filters + v * kLanes) * factor;
        const Ints choice = load(chosen + column * filters + v * kLanes);
        for (int i = 0; i < kPool; i++, w++) {
          float* at = row + w * kBlock + v * kLanes;
          const Floats y = load(at);
          Floats d = a * y + b;
          d = choice == all(code + i) ? d + above : d;
          d = y > Floats{} ? d : Floats{};
          sum += d;
          store(at, d);
        }
      }
    for (; w < width; w++) {
      float* at = row + w * kBlock + v * kLanes;
      const Floats y = load(at);
      const Floats d = y > Floats{} ? a * y + b : Floats{};
      sum += d;
      store(at, d);
    }
    total[v] = sum;
  }
}

template <class Rows>
void backward(const Convolution& c, BackwardTensors to) {
  Rows rows_of_x(c, to.weight);
  const int64_t taps = c.taps(), filters = c.filters, width = c.out_width();
  const int64_t frames = c.out_frames() / kPool, rows = c.out_height() / kPool, columns = c.out_width() / kPool;
  const int64_t wide = width + 2 * to.border, high = c.out_height() + 2 * to.border;
  std::vector<float> row(width * kBlock);
  for (int64_t n = 0; n < c.samples; n++) {
    rows_of_x.see(to.x);
    std::fill(to.d_weight, to.d_weight + taps * filters, 0.0);
    std::fill(to.d_bias, to.d_bias + filters, 0.0);
    for (int64_t f = 0; f < filters; f += kBlock)
      for (int64_t first = 0; first < c.out_height(); first += kPool) {
        // The weights' gradients in single precision within three rows of all frames, in double across them; unless there
        // are few additions to a number, and the way to double is long.
        if (Rows::kEndsOften || first == 0) rows_of_x.begin_gradients();
        for (int64_t t = 0; t < c.out_frames(); t++)
          for (int64_t h = first; h < std::min(first + kPool, c.out_height()); h++) {
            Floats total[kVectors] = {};
            if (to.values) {
              const float* kept = to.values + (t * c.out_height() + h) * width * filters + f;
              for (int64_t w = 0; w < width; w++)
                std::memcpy(&row[w * kBlock], kept + w * filters, kBlock * sizeof(float));
            } else {
              KeepRow sink{row.data()};
              rows_of_x.convolve(t, h, width, f, to.bias + f, sink);
            }
            const bool pooled = t / kPool < frames && h / kPool < rows;
            const int64_t cell = (t / kPool * rows + h / kPool) * columns * filters + f;
            const auto code = static_cast<int32_t>((t % kPool * kPool + h % kPool) * kPool);
            differentiate_row(row.data(), width, columns, pooled ? to.gradient + cell : nullptr, to.chosen + cell, filters,
                              code, to.scale + f, to.slope + f, to.offset + f, total);
            for (int i = 0; i < kBlock; i++) to.d_bias[f + i] += total[i / kLanes][i % kLanes];
            rows_of_x.correlate(t, h, width, row.data());
            if (to.d_output) {
              float* out = to.d_output + (((t + to.border) * high + h + to.border) * wide + to.border) * filters + f;
              for (int64_t w = 0; w < width; w++)
                std::memcpy(out + w * filters, &row[w * kBlock], kBlock * sizeof(float));
            }
          }
        if (Rows::kEndsOften || first + kPool >= c.out_height()) rows_of_x.end_gradients(f, to.d_weight);
      }
    to.x += c.sample_size();
    to.gradient += frames * rows * columns * filters;
    to.chosen += frames * rows * columns * filters;
    to.d_weight += taps * filters;
    to.d_bias += filters;
    if (to.values) to.values += c.out_size();
    if (to.d_output) to.d_output += (c.out_frames() + 2 * to.border) * high * wide * filters;
  }
}

// Takes a row's sums as they are.
struct StoreRow {
  float* row;  // (width, filters)
  int64_t filters;

  template <int J>
  FLEETING_INLINE void take(int64_t position, Sums<J>& sums) {
    FLEETING_UNROLL
    for (int j = 0; j < J; j++)
      for (int v = 0; v < kVectors; v++) store(row + (position + j) * filters + v * kLanes, sums[j][v]);
  }
};

// A convolution and nothing else. With a gradient inside its border as x, and the weights mirrored in time and space and
// with channels and filters exchanged, it is the gradient of a convolution's input.
template <class Rows>
void convolution(const Convolution& c, const float* x, const float* weight, float* out) {
  Rows rows_of_x(c, weight);
  for (int64_t n = 0; n < c.samples; n++) {
    rows_of_x.see(x + n * c.sample_size());
    for (int64_t f = 0; f < c.filters; f += kBlock)
      for (int64_t first = 0; first < c.out_height(); first += kPool)
        for (int64_t t = 0; t < c.out_frames(); t++)
          for (int64_t h = first; h < std::min(first + kPool, c.out_height()); h++) {
            const int64_t at = ((n * c.out_frames() + t) * c.out_height() + h) * c.out_width() * c.filters + f;
            StoreRow sink{out + at, c.filters};
            rows_of_x.convolve(t, h, c.out_width(), f, nullptr, sink);
          }
  }
}

}  // namespace fleeting

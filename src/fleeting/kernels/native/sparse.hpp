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

// The values under a kernel, as runs of neighbours in memory. Along the width they lie so already; a kernel that is longer
// in time has longer runs along time, which is worth a copy of the sample.
class Patches {
 public:
  explicit Patches(const Convolution& c) : c_(c), along_time_(c.kernel_frames > c.kernel_width) {
    const int64_t n = c.channels;
    if (along_time_) {
      frame_ = n, column_ = c.frames * n, row_ = c.width * column_;
      copy_.resize(c.sample_size() + kWidest);
    } else {
      column_ = n, row_ = c.width * n, frame_ = c.height * row_;
    }
    const int64_t outer = along_time_ ? c.kernel_height : c.kernel_frames;
    const int64_t inner = along_time_ ? c.kernel_width : c.kernel_height;
    run_ = (along_time_ ? c.kernel_frames : c.kernel_width) * n;
    for (int64_t a = 0; a < outer; a++)
      for (int64_t b = 0; b < inner; b++) {
        starts_.push_back(along_time_ ? a * row_ + b * column_ : a * frame_ + b * row_);
        for (int64_t i = 0; i < run_; i++) {
          const int64_t t = along_time_ ? i / n : a, h = along_time_ ? a : b, w = along_time_ ? b : i / n;
          taps_.push_back(((t * c.kernel_height + h) * c.kernel_width + w) * n + i % n);
        }
      }
  }

  void see(const float* x) {
    x_ = x, end_ = x + c_.sample_size();
    if (!along_time_) return;
    const int64_t n = c_.channels, positions = c_.height * c_.width;
    for (int64_t t = 0; t < c_.frames; t++)
      for (int64_t p = 0; p < positions; p++, x += n) std::memcpy(&copy_[p * column_ + t * n], x, n * sizeof(float));
    x_ = copy_.data(), end_ = x_ + copy_.size();
  }

  // The widest step that no run is shorter than half of.
  int lanes() const { return run_ > 8 ? 16 : run_ > 4 ? 8 : 4; }
  // Of a filter's sums: every run takes whole steps.
  int64_t size() const { return static_cast<int64_t>(starts_.size()) * ((run_ + lanes() - 1) / lanes() * lanes()); }

  // Add the values under the kernel at an output position, times a factor, to sums.
  template <int Lanes>
  FLEETING_INLINE void add(int64_t frame, int64_t row, int64_t column, float factor, float* sums) {
    typedef float Wide __attribute__((vector_size(4 * Lanes)));
    const float* x = x_ + frame * frame_ + row * row_ + column * column_;
    const int64_t steps = (run_ + Lanes - 1) / Lanes;
    const bool inside = x + starts_.back() + steps * Lanes <= end_;
    const Wide all = factor - Wide{};
    for (const int64_t start : starts_) {
      const float* from = x + start;
      float last[kWidest * 4];
      if (!inside) from = static_cast<float*>(std::memcpy(last, from, std::min(run_, end_ - from) * sizeof(float)));
      for (int64_t s = 0; s < steps; s++, sums += Lanes) {
        Wide value, sum;
        std::memcpy(&value, from + s * Lanes, sizeof value);
        std::memcpy(&sum, sums, sizeof sum);
        sum += value * all;
        std::memcpy(sums, &sum, sizeof sum);
      }
    }
  }

  // Add a filter's sums to its taps.
  void end(const float* sums, double* d_weight) const {
    const int64_t step = size() / static_cast<int64_t>(starts_.size());
    for (size_t r = 0; r < starts_.size(); r++)
      for (int64_t i = 0; i < run_; i++) d_weight[taps_[r * run_ + i]] += sums[r * step + i];
  }

 private:
  static constexpr int kWidest = 16;

  Convolution c_;
  bool along_time_;
  int64_t frame_, row_, column_, run_;
  std::vector<int64_t> starts_, taps_;
  std::vector<float> copy_;
  const float *x_ = nullptr, *end_ = nullptr;
};

template <int Lanes>
void sparse_sample(const Convolution& c, Patches& patches, const SparseTensors& to, std::vector<float>& sums) {
  const int64_t frames = c.out_frames() / kPool, rows = c.out_height() / kPool, columns = c.out_width() / kPool;
  const int64_t size = patches.size();
  for (int64_t frame = 0; frame < frames; frame++) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    float* bias = &sums[c.filters * size];
    for (int64_t row = 0; row < rows; row++)
      for (int64_t column = 0; column < columns; column++) {
        const int64_t cell = ((frame * rows + row) * columns + column) * c.filters;
        for (int64_t f = 0; f < c.filters; f++) {
          const float above = to.gradient[cell + f];
          // NaN goes on to the sums, so that it is seen.
          if (above == 0.0f || to.pooled[cell + f] <= 0.0f) continue;
          const int64_t code = to.chosen[cell + f];
          bias[f] += above;
          patches.add<Lanes>(frame * kPool + code / 9, row * kPool + code / 3 % 3, column * kPool + code % 3, above,
                             &sums[f * size]);
        }
      }
    for (int64_t f = 0; f < c.filters; f++) {
      to.d_bias[f] += bias[f];
      patches.end(&sums[f * size], to.d_weight + f * c.taps());
    }
  }
}

inline void sparse_backward(const Convolution& c, SparseTensors to) {
  const int64_t cells = c.out_frames() / kPool * (c.out_height() / kPool) * (c.out_width() / kPool) * c.filters;
  Patches patches(c);
  std::vector<float> sums(c.filters * (patches.size() + 1));
  for (int64_t n = 0; n < c.samples; n++) {
    std::fill(to.d_weight, to.d_weight + c.filters * c.taps(), 0.0);
    std::fill(to.d_bias, to.d_bias + c.filters, 0.0);
    patches.see(to.x);
    switch (patches.lanes()) {
      case 4: sparse_sample<4>(c, patches, to, sums); break;
      case 8: sparse_sample<8>(c, patches, to, sums); break;
      case 16: sparse_sample<16>(c, patches, to, sums); break;
    }
    to.x += c.sample_size();
    to.pooled += cells;
    to.gradient += cells;
    to.chosen += cells;
    to.d_weight += c.filters * c.taps();
    to.d_bias += c.filters;
  }
}

}  // namespace fleeting

// What every kernel is told of its tensors. All are dense and channels last: (samples, frames, height, width, channels).
#pragma once

#include <cstdint>

namespace fleeting {

// A convolution of stride 1 over an input that already has its padding around it. The order is that of the Python side.
struct Convolution {
  int64_t samples, frames, height, width, channels;  // of the input, padding included
  int64_t filters;                                   // a multiple of 16
  int64_t kernel_frames, kernel_height, kernel_width;

  int64_t taps() const { return kernel_frames * kernel_height * kernel_width * channels; }
  int64_t out_frames() const { return frames - kernel_frames + 1; }
  int64_t out_height() const { return height - kernel_height + 1; }
  int64_t out_width() const { return width - kernel_width + 1; }
  int64_t sample_size() const { return frames * height * width * channels; }
  int64_t out_size() const { return out_frames() * out_height() * out_width() * filters; }
  // Of the input, the first value under the kernel at an output position.
  int64_t at(int64_t frame, int64_t row) const { return (frame * height + row) * width * channels; }
};

}  // namespace fleeting

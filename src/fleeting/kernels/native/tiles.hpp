// A 3-D convolution of few channels whose kernel is 3 by 3 in space, in tiles of 3 by 3 positions: what the pooling looks
// at is what minimal filtering along both axes (squares.hpp) computes at once.
//
// A lane of a vector is a tile. A vector of tiles is taken through all frames and filters before the next, so that all that
// is in between stays in the cache.
#pragma once

#include <algorithm>
#include <vector>

#include "squares.hpp"

namespace fleeting {

// Frames whose gradients are multiplied with the input at once.
constexpr int kSpan = 6;

// Positions of a cell of the pooling, three frames of a tile. In memory, from where spreading a number costs nothing.
constexpr int32_t kCodes[kPool * kPositions] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                                                14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26};

// Where the tiles of a vector lie.
struct Place {
  bool edge;                // whether any has positions beyond the output
  Ints inside[kPositions];  // all ones where a position belongs to the output
  int64_t cells[kLanes];    // which of the pooled cells of a frame a tile is; -1 if it is none
};

// Cuts samples into tiles of (5, 5) values and hands them on by the vector, transformed. Of a frame these are `rows` by
// `columns`; beyond the input they see zeros.
class Tiles {
 public:
  Tiles(const Convolution& c, int64_t rows, int64_t columns)
      : c_(c), rows_(rows), columns_(columns), whole_(c.width < kPoints ? 0 : (c.width - kPoints) / kTile + 1),
        pitch_(columns + 2 * kLanes), zeros_(c.width * c.channels), waiting_(c.frames * c.channels * kSquare * pitch_),
        patches_((c.frames + kSpan) * c.channels * kSquare) {
    whole_ = std::min(whole_, columns);
  }

  // Turn to a sample, (frames, height, width, channels).
  void see(const float* x) { x_ = x, row_ = 0, first_ = -kLanes, begin_ = -kLanes, end_ = 0; }

  // Turn to the next vector of tiles; false if there is none.
  bool next() {
    first_ += kLanes, begin_ += kLanes;
    if (first_ >= rows_ * columns_) return false;
    if (begin_ + kLanes > end_) {
      keep_rest();
      while (end_ < kLanes && row_ < rows_) add_row(row_++);
    }
    transform();
    return true;
  }

  // (frames, channels, 25) from a frame on. Frames after the last are zero.
  const Floats* patches(int64_t frame) const { return &patches_[frame * c_.channels * kSquare]; }

  Place place() const {
    const int64_t height = c_.out_height(), width = c_.out_width();
    Place place = {};
    int32_t inside[kPositions][kLanes];
    for (int lane = 0; lane < kLanes; lane++) {
      const int64_t tile = first_ + lane, row = tile / columns_, column = tile % columns_;
      const int64_t high = row < rows_ ? std::min<int64_t>(height - row * kTile, kTile) : 0;
      const int64_t wide = std::min<int64_t>(width - column * kTile, kTile);
      const bool whole = high == kTile && wide == kTile;
      place.cells[lane] = whole ? row * (width / kTile) + column : -1;
      place.edge |= !whole;
      for (int i = 0; i < kPositions; i++) inside[i][lane] = i / kTile < high && i % kTile < wide ? -1 : 0;
    }
    for (int i = 0; i < kPositions; i++) place.inside[i] = load(inside[i]);
    return place;
  }

 private:
  // Rows are short and far apart: the processor must be told which come next. Floats of a line of its cache.
  static constexpr int64_t kAhead = 2, kLine = 16;

  // Move what is left of the last row of tiles, less than a vector, to the front.
  void keep_rest() {
    end_ -= begin_;
    if (end_)
      for (size_t at = 0; at < waiting_.size(); at += pitch_) store(&waiting_[at], load(&waiting_[at + begin_]));
    begin_ = 0;
  }

  // Take a row of tiles apart and put it behind what is waiting.
  void add_row(int64_t row) {
    const int64_t n = c_.channels, size = c_.width * n, left = size - whole_ * kTile * n;
    for (int64_t t = 0; t < c_.frames; t++)
      for (int i = 0; i < kPoints; i++) {
        const int64_t h = row * kTile + i;
        const float* x = h < c_.height ? x_ + c_.at(t, h) : zeros_.data();
        if (t + kAhead < c_.frames && h < c_.height)
          for (int64_t at = 0; at < size; at += kLine) __builtin_prefetch(x_ + c_.at(t + kAhead, h) + at);
        float* to = &waiting_[(t * n * kPoints + i) * kPoints * pitch_ + end_];
        n == 1 ? take_apart<1>(x, whole_, to) : take_apart<3>(x, whole_, to);
        if (whole_ == columns_) continue;
        // The last tile reaches beyond the row; what is there counts for nothing.
        float last[kPoints * kMostChannels] = {};
        std::memcpy(last, x + size - left, left * sizeof(float));
        n == 1 ? take_apart<1>(last, 1, to + whole_) : take_apart<3>(last, 1, to + whole_);
      }
    end_ += columns_;
  }

  template <int Channels>
  void take_apart(const float* row, int64_t count, float* to) const {
    constexpr int kStep = kTile * Channels;
    for (int c = 0; c < Channels; c++, row++, to += kSquare * pitch_) {
      for (int64_t tile = 0; tile < count; tile++) {
        to[tile] = row[tile * kStep];
        to[pitch_ + tile] = row[tile * kStep + Channels];
        to[2 * pitch_ + tile] = row[tile * kStep + 2 * Channels];
      }
      for (int64_t tile = 0; tile < count; tile++) {
        to[3 * pitch_ + tile] = row[tile * kStep + 3 * Channels];
        to[4 * pitch_ + tile] = row[tile * kStep + 4 * Channels];
      }
    }
  }

  void transform() {
    Floats* to = patches_.data();
    const float* from = &waiting_[begin_];
    for (int64_t series = 0; series < c_.frames * c_.channels; series++, from += kSquare * pitch_, to += kSquare) {
      Floats x[kSquare], square[kSquare];
      for (int i = 0; i < kSquare; i++) x[i] = load(from + i * pitch_);
      input_square(x, square);
      std::copy_n(square, kSquare, to);
    }
  }

  static constexpr int kMostChannels = 3;

  Convolution c_;
  int64_t rows_, columns_;
  int64_t whole_;  // tiles of a row whose values are all there
  int64_t pitch_;
  std::vector<float> zeros_;     // a row beyond the input
  std::vector<float> waiting_;   // (frames, channels, 5, 5, pitch): tiles that were taken apart
  std::vector<Floats> patches_;  // (frames + span, channels, 25): the vector at hand
  const float* x_ = nullptr;
  int64_t row_ = 0, first_ = 0;  // the row of tiles that comes next, the first tile at hand
  int64_t begin_ = 0, end_ = 0;  // of those that are waiting
};

}  // namespace fleeting

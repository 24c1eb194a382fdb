// Convolution, ReLU, batch statistics and max-pooling in tiles.
#pragma once

#include <limits>

#include "forward.hpp"
#include "tile_products.hpp"

namespace fleeting {

// Write the pooled values of a group of filters (4, lanes), and which were chosen, to where they belong.
template <bool Chosen>
FLEETING_INLINE void write_cells(const Place& place, const Floats (&best)[kGroup], const Ints (&where)[kGroup],
                                 int64_t filters, float* pooled, uint8_t* chosen) {
  float values[kLanes][kGroup];
  for (int lane = 0; lane < kLanes; lane++)
    for (int m = 0; m < kGroup; m++) values[lane][m] = best[m][lane];
  int32_t codes[kLanes];
  if constexpr (Chosen) store(codes, where[0] | where[1] << 8 | where[2] << 16 | where[3] << 24);
  for (int lane = 0; lane < kLanes; lane++) {
    const int64_t cell = place.cells[lane];
    if (cell < 0) continue;
    std::memcpy(pooled + cell * filters, values[lane], sizeof values[lane]);
    if constexpr (Chosen) std::memcpy(chosen + cell * filters, &codes[lane], sizeof codes[lane]);
  }
}

// Add a tile to the statistics; by rows, so that few additions wait for the one before.
FLEETING_INLINE void add_tile(const Floats (&y)[kPositions], Floats& total, Floats& squares) {
  Floats sums[kTile], products[kTile];
  FLEETING_UNROLL
  for (int i = 0; i < kTile; i++) {
    const Floats* row = y + i * kTile;
    sums[i] = row[0] + row[1] + row[2];
    products[i] = row[0] * row[0] + row[1] * row[1] + row[2] * row[2];
  }
  total += sums[0] + sums[1] + sums[2];
  squares += products[0] + products[1] + products[2];
}

// The largest of a tile's values and its code, the first in case of a tie; a tournament, for the same reason.
template <bool Chosen>
FLEETING_INLINE Floats largest(const Floats (&y)[kPositions], const int32_t* codes, Ints& index) {
  constexpr int kRounds[][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {0, 2}, {4, 6}, {0, 4}, {0, 8}};
  Floats values[kPositions];
  Ints places[kPositions];
  FLEETING_UNROLL
  for (int i = 0; i < kPositions; i++) values[i] = y[i], places[i] = all(codes[i]);
  FLEETING_UNROLL
  for (int i = 0; i < 8; i++) {
    const int first = kRounds[i][0], second = kRounds[i][1];
    if constexpr (Chosen) places[first] = values[second] > values[first] ? places[second] : places[first];
    values[first] = values[second] > values[first] ? values[second] : values[first];
  }
  index = places[0];
  return values[0];
}

template <bool Statistics, bool Signed, bool Chosen, int Taps>
void tile_forward_sample(const Convolution& c, Tiles& tiles, const float* weight, const ForwardTensors& to) {
  const int64_t frames = c.out_frames(), cells = c.out_height() / kPool * (c.out_width() / kPool), filters = c.filters;
  const int64_t triples = frames / kPool, pieces = Statistics ? (frames + kPool - 1) / kPool : triples;
  const int64_t taps = c.kernel_frames * c.channels;
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  Floats half[kGroup * kHalf];
  for (tiles.see(to.x); tiles.next();) {
    const Place place = tiles.place();
    for (int64_t f = 0; f < filters; f += kGroup) {
      Floats total[kGroup] = {}, square[kGroup] = {};
      for (int64_t triple = 0; triple < pieces; triple++) {
        Floats best[kGroup];
        Ints where[kGroup];
        for (int m = 0; m < kGroup; m++) best[m] = all(kNone), where[m] = Ints{};
        for (int64_t t = 0; t < std::min<int64_t>(kPool, frames - triple * kPool); t++) {
          multiply_patches<Taps>(tiles.patches(triple * kPool + t), weight + f * kSquare * taps, to.bias + f, taps, half);
          for (int m = 0; m < kGroup; m++) {
            Floats y[kPositions];
            output_positions(half + m * kHalf, y);
            if constexpr (Statistics) {
              for (auto& value : y) value = relu(value);
              if (place.edge)
                for (int i = 0; i < kPositions; i++) y[i] = masked(y[i], place.inside[i]);
              add_tile(y, total[m], square[m]);
            }
            if constexpr (Signed)
              for (auto& value : y) value *= all(to.sign[f + m]);
            Ints index;
            const Floats most = largest<Chosen>(y, kCodes + t * kPositions, index);
            if constexpr (Chosen) where[m] = most > best[m] ? index : where[m];
            best[m] = most > best[m] ? most : best[m];
          }
        }
        for (int m = 0; m < kGroup; m++) {
          // All were NaN, so nothing was larger than nothing; it must not pass for a zero.
          const Floats nothing = best[m] == all(kNone) ? all(std::numeric_limits<float>::quiet_NaN()) : best[m];
          const Floats value = Signed ? nothing * all(to.sign[f + m]) : nothing;
          best[m] = Statistics ? value : relu(value);
        }
        if (triple < triples) {
          const int64_t at = triple * cells * filters + f;
          write_cells<Chosen>(place, best, where, filters, to.pooled + at, Chosen ? to.chosen + at : nullptr);
        }
      }
      if constexpr (Statistics)
        for (int m = 0; m < kGroup; m++)
          for (int lane = 0; lane < kLanes; lane++) {
            to.statistics[f + m] += total[m][lane];
            to.statistics[filters + f + m] += square[m][lane];
          }
    }
  }
}

template <int Taps>
void tile_forward(const Convolution& c, ForwardTensors to) {
  const bool partial = to.statistics != nullptr;  // What the pooling leaves over is of interest to the statistics alone.
  const int64_t rows = (c.out_height() + (partial ? kTile - 1 : 0)) / kTile;
  const int64_t columns = (c.out_width() + (partial ? kTile - 1 : 0)) / kTile;
  const int64_t cells = c.out_frames() / kPool * (c.out_height() / kPool) * (c.out_width() / kPool) * c.filters;
  Tiles tiles(c, rows, columns);
  const std::vector<float> weight = weight_squares(c, to.weight);
  if (to.statistics) std::fill(to.statistics, to.statistics + c.samples * 2 * c.filters, 0.0);
  for (int64_t n = 0; n < c.samples; n++) {
    if (to.statistics)
      (to.sign ? tile_forward_sample<true, true, true, Taps>
               : tile_forward_sample<true, false, true, Taps>)(c, tiles, weight.data(), to);
    else if (to.chosen)
      tile_forward_sample<false, false, true, Taps>(c, tiles, weight.data(), to);
    else
      (to.sign ? tile_forward_sample<false, true, false, Taps>
               : tile_forward_sample<false, false, false, Taps>)(c, tiles, weight.data(), to);
    to.x += c.sample_size();
    to.pooled += cells;
    if (to.chosen) to.chosen += cells;
    if (to.statistics) to.statistics += 2 * c.filters;
  }
}

}  // namespace fleeting

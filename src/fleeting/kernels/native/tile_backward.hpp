// Gradients of convolution, ReLU, batch normalisation and max-pooling in tiles, as backward.hpp has them in rows.
#pragma once

#include "backward.hpp"
#include "tile_products.hpp"

namespace fleeting {

// What comes from above for a group of filters, and which position of each cell it is for; none where a tile is no cell.
struct Above {
  float gradient[kGroup][kLanes];
  int32_t codes[kLanes];  // a byte per filter
};

FLEETING_INLINE void read_cells(const Place& place, int64_t filters, const float* gradient, const float* scale,
                                const uint8_t* chosen, Above& above) {
  for (int lane = 0; lane < kLanes; lane++) {
    const int64_t cell = place.cells[lane];
    above.codes[lane] = -1;
    for (int m = 0; m < kGroup; m++) above.gradient[m][lane] = 0;
    if (cell < 0) continue;
    std::memcpy(&above.codes[lane], chosen + cell * filters, sizeof above.codes[lane]);
    for (int m = 0; m < kGroup; m++) above.gradient[m][lane] = gradient[cell * filters + m] * scale[m];
  }
}

// From what was multiplied for a tile to the gradients of its positions and to what meets the patches' 25 points; returns
// the gradients' sum. The pooling's choice counts from `codes` on.
FLEETING_INLINE Floats differentiate_tile(const Floats* half_outputs, const Place& place, Floats gradient, Ints choice,
                                          const int32_t* codes, float slope, float offset, Floats* square) {
  Floats y[kPositions];
  output_positions(half_outputs, y);
  FLEETING_UNROLL
  for (int i = 0; i < kPositions; i++) {
    Floats d = all(slope) * y[i] + all(offset);
    d = choice == all(codes[i]) ? d + gradient : d;
    y[i] = y[i] > Floats{} ? d : Floats{};
  }
  if (place.edge)
    for (int i = 0; i < kPositions; i++) y[i] = masked(y[i], place.inside[i]);
  gradient_square(y, square);
  return square[kPoints + 1];
}

// Add to (25, taps, 4) the products of a span of frames' gradients (4, span, 25) with the patches.
template <int Channels, int Taps, int Span>
FLEETING_APART void correlate_patches(const Floats* patches, const Floats* squares, int64_t taps, Floats* to) {
  if (Taps) taps = Taps;
  for (int point = 0; point < kSquare; point++, patches++, squares++) {
    Floats d[kGroup][Span];
    FLEETING_UNROLL
    for (int m = 0; m < kGroup; m++)
      for (int j = 0; j < Span; j++) d[m][j] = squares[(m * kSpan + j) * kSquare];
    const Floats* x = patches;
    FLEETING_UNROLL
    for (int64_t k = 0; k < taps; k++, x += kSquare, to += kGroup) {
      Floats sums[kGroup];
      for (int m = 0; m < kGroup; m++) sums[m] = to[m];
      FLEETING_UNROLL
      for (int j = 0; j < Span; j++)
        for (int m = 0; m < kGroup; m++) sums[m] += x[j * Channels * kSquare] * d[m][j];
      for (int m = 0; m < kGroup; m++) to[m] = sums[m];
    }
  }
}

template <int Channels, int Taps>
void tile_backward(const Convolution& c, BackwardTensors to) {
  const int64_t frames = c.out_frames(), filters = c.filters, taps = c.kernel_frames * c.channels;
  const int64_t triples = frames / kPool, cells = c.out_height() / kPool * (c.out_width() / kPool);
  const int64_t group = kSquare * taps * kGroup;
  Tiles tiles(c, (c.out_height() + kTile - 1) / kTile, (c.out_width() + kTile - 1) / kTile);
  const std::vector<float> weight = weight_squares(c, to.weight);
  // Of a vector of tiles at a time, and of what the pooling leaves over.
  std::vector<Above> above(triples + 1);
  std::fill_n(above[triples].codes, kLanes, -1);
  // In single precision within a sample: a lane adds up a tile in 16 of each frame. In double across lanes and samples.
  std::vector<Floats> gradients(filters / kGroup * group);
  Floats half[kGroup * kHalf], squares[kGroup * kSpan * kSquare] = {};
  for (int64_t n = 0; n < c.samples; n++) {
    std::fill(gradients.begin(), gradients.end(), Floats{});
    std::fill(to.d_weight, to.d_weight + c.taps() * filters, 0.0);
    std::fill(to.d_bias, to.d_bias + filters, 0.0);
    for (tiles.see(to.x); tiles.next();) {
      const Place place = tiles.place();
      for (int64_t f = 0; f < filters; f += kGroup) {
        const float* weights = &weight[f * kSquare * taps];
        Floats* sums_of_group = &gradients[f / kGroup * group];
        Floats total[kGroup] = {};
        // Long before they are needed: what was written in pieces is slow to read as a whole at once.
        for (int64_t triple = 0; triple < triples; triple++) {
          const int64_t at = triple * cells * filters + f;
          read_cells(place, filters, to.gradient + at, to.scale + f, to.chosen + at, above[triple]);
        }
        for (int64_t first = 0; first < frames; first += kSpan) {
          const int64_t count = std::min<int64_t>(kSpan, frames - first);
          for (int64_t i = 0; i < count; i++) {
            const int64_t t = first + i;
            const Above& from = above[t / kPool];
            multiply_patches<Taps>(tiles.patches(t), weights, to.bias + f, taps, half);
            for (int m = 0; m < kGroup; m++)
              total[m] += differentiate_tile(half + m * kHalf, place, load(from.gradient[m]),
                                             load(from.codes) >> 8 * m & 0xFF, kCodes + t % kPool * kPositions,
                                             to.slope[f + m], to.offset[f + m], squares + (m * kSpan + i) * kSquare);
          }
          for (int64_t i = count; i < kSpan; i++)
            for (int m = 0; m < kGroup; m++) std::fill_n(squares + (m * kSpan + i) * kSquare, kSquare, Floats{});
          (count > kSpan / 2 ? correlate_patches<Channels, Taps, kSpan> : correlate_patches<Channels, Taps, kSpan / 2>)(
              tiles.patches(first), squares, taps, sums_of_group);
        }
        for (int m = 0; m < kGroup; m++)
          for (int lane = 0; lane < kLanes; lane++) to.d_bias[f + m] += total[m][lane];
      }
    }
    for (int64_t f = 0; f < filters; f++)
      for (int64_t k = 0; k < taps; k++) {
        double square[kSquare] = {};
        for (int p = 0; p < kSquare; p++)
          for (int lane = 0; lane < kLanes; lane++)
            square[p] += gradients[f / kGroup * group + (p * taps + k) * kGroup + f % kGroup][lane];
        add_weight_gradient(c, square, k, f, to.d_weight);
      }
    to.x += c.sample_size();
    to.gradient += triples * cells * filters;
    to.chosen += triples * cells * filters;
    to.d_weight += c.taps() * filters;
    to.d_bias += filters;
  }
}

}  // namespace fleeting

// Minimal filtering along both axes: 25 points of a square for 9 positions, with all that goes to them and comes from them.
// Squares are (5, 5), points along the height first.
#pragma once

#include "filtering.hpp"
#include "shapes.hpp"

namespace fleeting {

constexpr int kSquare = kPoints * kPoints;
constexpr int kPositions = kTile * kTile;

// From (5, 5) values of the input.
FLEETING_INLINE void input_square(const Floats (&x)[kSquare], Floats (&square)[kSquare]) {
  Floats half[kPoints][kPoints];
  FLEETING_UNROLL
  for (int s = 0; s < kPoints; s++) {
    Floats column[kPoints], points[kPoints];
    for (int i = 0; i < kPoints; i++) column[i] = x[i * kPoints + s];
    input_points(column, points);
    for (int i = 0; i < kPoints; i++) half[i][s] = points[i];
  }
  FLEETING_UNROLL
  for (int i = 0; i < kPoints; i++) {
    Floats points[kPoints];
    input_points(half[i], points);
    for (int s = 0; s < kPoints; s++) square[i * kPoints + s] = points[s];
  }
}

// To the 9 positions, of what was transformed back along the height already, (3, 5).
FLEETING_INLINE void output_positions(const Floats* half, Floats (&y)[kPositions]) {
  FLEETING_UNROLL
  for (int i = 0; i < kTile; i++) {
    Floats m[kPoints], out[kTile];
    for (int s = 0; s < kPoints; s++) m[s] = half[i * kPoints + s];
    outputs_of(m, out);
    for (int j = 0; j < kTile; j++) y[i * kTile + j] = out[j];
  }
}

// To the 9 positions.
FLEETING_INLINE void output_square(const Floats (&m)[kSquare], Floats (&y)[kPositions]) {
  Floats half[kTile * kPoints];
  FLEETING_UNROLL
  for (int s = 0; s < kPoints; s++) {
    Floats column[kPoints], out[kTile];
    for (int i = 0; i < kPoints; i++) column[i] = m[i * kPoints + s];
    outputs_of(column, out);
    for (int i = 0; i < kTile; i++) half[i * kPoints + s] = out[i];
  }
  output_positions(half, y);
}

// From the gradients of the 9 positions. The point (1, 1) is their sum.
FLEETING_INLINE void gradient_square(const Floats (&d)[kPositions], Floats* square) {
  Floats half[kPoints][kTile];
  FLEETING_UNROLL
  for (int j = 0; j < kTile; j++) {
    const Floats column[kTile] = {d[j], d[kTile + j], d[2 * kTile + j]};
    Floats points[kPoints];
    gradient_points(column, points);
    for (int i = 0; i < kPoints; i++) half[i][j] = points[i];
  }
  FLEETING_UNROLL
  for (int i = 0; i < kPoints; i++) {
    Floats points[kPoints];
    gradient_points(half[i], points);
    for (int s = 0; s < kPoints; s++) square[i * kPoints + s] = points[s];
  }
}

// Of the weights (taps, filters), where the 3 by 3 of a tap in time and channels and of a filter lie.
inline int64_t weight_at(const Convolution& c, int64_t tap, int i, int j, int64_t filter) {
  const int64_t t = tap / c.channels, channel = tap % c.channels;
  return (((t * kTile + i) * kTile + j) * c.channels + channel) * c.filters + filter;
}

// From those.
inline void weight_square(const Convolution& c, const float* weight, int64_t tap, int64_t filter,
                          double (&square)[kSquare]) {
  double half[kTile][kPoints];
  for (int i = 0; i < kTile; i++) {
    double w[kTile];
    for (int j = 0; j < kTile; j++) w[j] = weight[weight_at(c, tap, i, j, filter)];
    weight_points(w, 1, half[i]);
  }
  for (int s = 0; s < kPoints; s++) {
    double points[kPoints];
    weight_points(&half[0][s], kPoints, points);
    for (int i = 0; i < kPoints; i++) square[i * kPoints + s] = points[i];
  }
}

// To their gradient, which is added.
inline void add_weight_gradient(const Convolution& c, const double (&square)[kSquare], int64_t tap, int64_t filter,
                                double* d_weight) {
  double half[kTile][kPoints];
  for (int s = 0; s < kPoints; s++) {
    double points[kPoints], w[kTile];
    for (int i = 0; i < kPoints; i++) points[i] = square[i * kPoints + s];
    weight_gradient(points, w);
    for (int i = 0; i < kTile; i++) half[i][s] = w[i];
  }
  for (int i = 0; i < kTile; i++) {
    double w[kTile];
    weight_gradient(half[i], w);
    for (int j = 0; j < kTile; j++) d_weight[weight_at(c, tap, i, j, filter)] += w[j];
  }
}

}  // namespace fleeting

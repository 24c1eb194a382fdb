// Winograd's minimal filtering F(3, 3): 3 outputs of a kernel that is 3 long take 5 multiplications instead of 9.
//
// y = A^T [(G w) * (B^T x)] for outputs y, weights w and 5 inputs x (Lavin and Gray 2016, with the points 0, 1, -1, 2 and
// infinity). Whatever else is added up, over frames, rows or channels, is added between the brackets, so that B^T x is
// computed once for all filters and A^T once for all taps. The gradient of the weights is the same form read another way,
// G^T [(A dy) * (B^T x)]. Along two axes, one after the other, 9 outputs take 25 multiplications instead of 81.
#pragma once

#include "vectors.hpp"

namespace fleeting {

constexpr int kTile = 3;    // outputs
constexpr int kPoints = 5;  // multiplications

// B^T x.
template <class T>
FLEETING_INLINE void input_points(const T (&x)[kPoints], T (&to)[kPoints]) {
  const T across = x[3] - x[1];
  to[0] = 2.0f * (x[0] - x[2]) + across;
  to[1] = x[3] - x[2] - 2.0f * x[1];
  to[2] = 2.0f * x[1] - 3.0f * x[2] + x[3];
  to[3] = across;
  to[4] = x[4] - x[2] - 2.0f * across;
}

// A^T m.
FLEETING_INLINE void outputs_of(const Floats (&m)[kPoints], Floats (&y)[kTile]) {
  const Floats sum = m[1] + m[2], difference = m[1] - m[2];
  y[0] = m[0] + sum + m[3];
  y[1] = difference + 2.0f * m[3];
  y[2] = sum + 4.0f * m[3] + m[4];
}

// A dy.
FLEETING_INLINE void gradient_points(const Floats (&d)[kTile], Floats (&to)[kPoints]) {
  const Floats ends = d[0] + d[2];
  to[0] = d[0];
  to[1] = ends + d[1];
  to[2] = ends - d[1];
  to[3] = d[0] + 2.0f * d[1] + 4.0f * d[2];
  to[4] = d[2];
}

// G w, of neighbours `step` apart.
inline void weight_points(const double* w, int64_t step, double (&to)[kPoints]) {
  const double a = w[0], b = w[step], c = w[2 * step];
  to[0] = a / 2;
  to[1] = -(a + b + c) / 2;
  to[2] = (b - a - c) / 6;
  to[3] = a / 6 + b / 3 + 2 * c / 3;
  to[4] = c;
}

// G^T m.
inline void weight_gradient(const double (&m)[kPoints], double (&to)[kTile]) {
  to[0] = m[0] / 2 - m[1] / 2 - m[2] / 6 + m[3] / 6;
  to[1] = -m[1] / 2 + m[2] / 6 + m[3] / 3;
  to[2] = -m[1] / 2 - m[2] / 6 + 2 * m[3] / 3 + m[4];
}

}  // namespace fleeting

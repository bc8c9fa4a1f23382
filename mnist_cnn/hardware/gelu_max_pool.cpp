// GELU, then 2x2 max pooling, and its gradient, in one pass over memory. gelu_max_pool.py compiles and calls it.
//
// Tensors are channels_last, [B, H, W, C] in memory, of at least 16 channels; odd last rows and columns are left out.
// GELU falls, then rises: so the largest of four values comes from the largest or the smallest input.

#include <cstdint>
#include <cstring>

namespace {

using Index = std::int64_t;

#ifdef __AVX512F__
constexpr Index LANES = 16;
#else
constexpr Index LANES = 8;
#endif

using Floats = float __attribute__((vector_size(4 * LANES)));
using Ints = std::int32_t __attribute__((vector_size(4 * LANES)));
using Shorts = std::uint16_t __attribute__((vector_size(2 * LANES)));
using Bytes = std::uint8_t __attribute__((vector_size(LANES)));

struct BFloat16 {
  std::uint16_t bits;
};

template <class Vector>
inline Vector read(const void* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline Floats load(const float* from) { return read<Floats>(from); }

inline Floats load(const BFloat16* from) { return (Floats)(__builtin_convertvector(read<Shorts>(from), Ints) << 16); }

inline Ints load(const std::uint8_t* from) { return __builtin_convertvector(read<Bytes>(from), Ints); }

inline void store(float* to, Floats v) { std::memcpy(to, &v, sizeof v); }

inline void store(BFloat16* to, Floats v) {  // rounded to nearest, ties to even
  const Ints bits = (Ints)v;
  const auto rounded = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Shorts);
  std::memcpy(to, &rounded, sizeof rounded);
}

inline void store(std::uint8_t* to, Ints v) {
  const auto bytes = __builtin_convertvector(v, Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}

inline Floats clamp(Floats x, float limit) {
  x = x < -limit ? Floats{} - limit : x;
  return x > limit ? Floats{} + limit : x;
}

// The normal distribution function as an odd rational function and a half, fitted up to 5.5: within 2e-8.
inline Floats gelu(Floats x) {
  const Floats t = clamp(x, 5.5f), s = t * t;
  Floats p = 1.11756301e-10f * s - 2.20822359e-08f;
  p = (((p * s + 3.24107471e-06f) * s + 0.000170375938f) * s + 0.00450917808f) * s + 0.0359224428f;
  p = p * s + 0.398942155f;
  const Floats q = (((6.232709e-05f * s + 0.00183065569f) * s + 0.029091625f) * s + 0.256708782f) * s + 1;
  return x * (t * p / q + 0.5f);
}

// The derivative of GELU in the same way, fitted up to 6: within 1.4e-7.
inline Floats gelu_slope(Floats x) {
  const Floats t = clamp(x, 6), s = t * t;
  Floats p = 1.90884203e-07f * s + 3.58505807e-05f;
  p = (((p * s + 2.41879802e-05f) * s + 0.0142091587f) * s - 0.0307432351f) * s + 0.797884529f;
  Floats q = 8.88745371e-06f * s + 0.000193521459f;
  q = (((q * s + 0.00352876563f) * s + 0.04106478f) * s + 0.294805937f) * s + 1;
  return t * p / q + 0.5f;
}

// Calls work(c) for blocks of channels; the last one overlaps the one before where LANES does not divide C.
template <class Work>
inline void for_blocks(Index C, Work work) {
  Index c = 0;
  for (; c < C - LANES; c += LANES) work(c);
  work(C - LANES);
}

template <class T>
void forward(const T* x, T* pooled, T* winners, std::uint8_t* places, Index B, Index H, Index W, Index C, int threads) {
  const Index rows = H / 2, columns = W / 2;
#pragma omp parallel for num_threads(threads)
  for (Index row = 0; row < B * rows; row++) {
    const T* top = x + (row / rows * H + row % rows * 2) * W * C;
    for (Index column = 0; column < columns; column++) {
      const T* corner = top + column * 2 * C;
      const Index out = (row * columns + column) * C;
      for_blocks(C, [=](Index c) {
        const T* first = corner + c;
        const Floats v[4] = {load(first), load(first + C), load(first + W * C), load(first + W * C + C)};
        Floats high = v[0], low = v[0];
        Ints high_place = {}, low_place = {};
#pragma GCC unroll 3
        for (int place = 1; place < 4; place++) {
          const Ints higher = v[place] > high, lower = v[place] < low;
          high = higher ? v[place] : high;
          low = lower ? v[place] : low;
          high_place = higher ? Ints{} + place : high_place;
          low_place = lower ? Ints{} + place : low_place;
        }
        const Floats of_high = gelu(high), of_low = gelu(low), sum = v[0] + v[1] + v[2] + v[3];
        const Ints low_wins = of_low > of_high;
        const Floats largest = low_wins ? of_low : of_high;
        store(pooled + out + c, sum == sum ? largest : sum);  // comparisons overlook what is not a number
        store(winners + out + c, low_wins ? low : high);
        store(places + out + c, low_wins ? low_place : high_place);
      });
    }
  }
}

template <class T>
void backward(const T* gradient, const T* winners, const std::uint8_t* places, T* result, Index B, Index H, Index W,
              Index C, int threads) {
  const Index rows = H / 2, columns = W / 2;
#pragma omp parallel for num_threads(threads)
  for (Index row = 0; row < B * rows; row++) {
    T* top = result + (row / rows * H + row % rows * 2) * W * C;
    T* bottom = top + W * C;
    for (Index column = 0; column < columns; column++) {
      const Index in = (row * columns + column) * C, corner = column * 2 * C;
      for_blocks(C, [=](Index c) {
        const Floats kept = load(gradient + in + c) * gelu_slope(load(winners + in + c)), none = {};
        const Ints place = load(places + in + c);
        store(top + corner + c, place == 0 ? kept : none);
        store(top + corner + C + c, place == 1 ? kept : none);
        store(bottom + corner + c, place == 2 ? kept : none);
        store(bottom + corner + C + c, place == 3 ? kept : none);
      });
    }
    if (W % 2) {
      std::memset(top + 2 * columns * C, 0, C * sizeof(T));
      std::memset(bottom + 2 * columns * C, 0, C * sizeof(T));
    }
    if (H % 2 && row % rows == rows - 1) std::memset(bottom + W * C, 0, W * C * sizeof(T));
  }
}

}  // namespace

#define FOR_TYPE(T, NAME)                                                                                          \
  extern "C" void forward_##NAME(const T* x, T* pooled, T* winners, std::uint8_t* places, Index B, Index H,        \
                                 Index W, Index C, int threads) {                                                  \
    forward(x, pooled, winners, places, B, H, W, C, threads);                                                      \
  }                                                                                                                \
  extern "C" void backward_##NAME(const T* gradient, const T* winners, const std::uint8_t* places, T* result,      \
                                  Index B, Index H, Index W, Index C, int threads) {                               \
    backward(gradient, winners, places, result, B, H, W, C, threads);                                              \
  }

FOR_TYPE(float, float32)
FOR_TYPE(BFloat16, bfloat16)

// Multiresolution grids (Mueller et al. 2022): features from the corners around a point, and
// gradients back to the table and to the point.
#pragma once

namespace KERNEL_ISA {

using namespace fields;
typedef uint32_t UInt __attribute__((vector_size(4 * KERNEL_LANES)));
typedef float Pair __attribute__((vector_size(8)));
typedef float Quad __attribute__((vector_size(16)));

// The eight corners of each lane's cell; bit 0 of a corner's number is x, bit 1 y, bit 2 z.
struct Corners {
  UInt row[8];
  Float x, y, z;  // place within the cell, 0 to 1
};

INLINE Int cell_of(Float place, int32_t resolution) {
  Int cell = truncate(place), most = all(resolution - 1);
  return select(cell < most, cell, most);
}

INLINE Corners corners_of(const Level& level, const float* units) {
  float n = (float)level.resolution;
  Float x = load(units) * n, y = load(units + block_size) * n,
        z = load(units + 2 * block_size) * n;
  Int cell_x = cell_of(x, level.resolution), cell_y = cell_of(y, level.resolution),
      cell_z = cell_of(z, level.resolution);
  Corners corners;
  corners.x = x - to_float(cell_x), corners.y = y - to_float(cell_y),
  corners.z = z - to_float(cell_z);
  bool dense = level.mask == 0;
  uint32_t side = (uint32_t)level.resolution + 1;
  uint32_t up_y = dense ? side : 2654435761u, up_z = dense ? side * side : 805459861u;
  UInt base_x[2] = {(UInt)cell_x, (UInt)cell_x + 1u};
  UInt base_y[2] = {(UInt)cell_y * up_y, (UInt)cell_y * up_y + up_y};
  UInt base_z[2] = {(UInt)cell_z * up_z, (UInt)cell_z * up_z + up_z};
  for (int c = 0; c < 8; ++c) {
    UInt a = base_x[c & 1], b = base_y[c >> 1 & 1], d = base_z[c >> 2];
    corners.row[c] = (dense ? a + b + d : (a ^ b ^ d) & level.mask) + level.first;
  }
  return corners;
}

INLINE void weights_of(const Corners& corners, Float* weight) {
  Float x[2] = {1.0f - corners.x, corners.x};
  Float y[2] = {1.0f - corners.y, corners.y};
  Float z[2] = {1.0f - corners.z, corners.z};
  for (int c = 0; c < 8; ++c) weight[c] = x[c & 1] * y[c >> 1 & 1] * z[c >> 2];
}

// Both features of a row of the table for each lane.
INLINE void gather(const float* table, UInt row, Float& a, Float& b) {
#if KERNEL_LANES == 16 && defined(__AVX512F__)
  __m512 none = _mm512_setzero_ps();
  a = (Float)_mm512_mask_i32gather_ps(none, 0xffff, (__m512i)row, table, 8);
  b = (Float)_mm512_mask_i32gather_ps(none, 0xffff, (__m512i)row, table + 1, 8);
#elif KERNEL_LANES == 8 && defined(__AVX__)
  alignas(32) uint32_t rows[8];
  __builtin_memcpy(rows, &row, sizeof rows);
  auto two = [&](int i) {
    __m128 low = _mm_castpd_ps(_mm_load_sd((const double*)(table + 2 * (size_t)rows[i])));
    return _mm_loadh_pi(low, (const __m64*)(table + 2 * (size_t)rows[i + 1]));
  };
  __m256 even = _mm256_insertf128_ps(_mm256_castps128_ps256(two(0)), two(4), 1);
  __m256 odd = _mm256_insertf128_ps(_mm256_castps128_ps256(two(2)), two(6), 1);
  a = (Float)_mm256_shuffle_ps(even, odd, 0x88);
  b = (Float)_mm256_shuffle_ps(even, odd, 0xdd);
#else
  for (int lane = 0; lane < lanes; ++lane) {
    const float* from = table + 2 * (size_t)row[lane];
    a[lane] = from[0], b[lane] = from[1];
  }
#endif
}

static void encode_block(const Grid& grid, const float* units, float* features) {
  for (int l = 0; l < grid.levels; ++l) {
    float* first = features + 2 * l * block_size;
    float* second = first + block_size;
    for (int p = 0; p < block_size; p += lanes) {
      Float sum_a = all(0.0f), sum_b = all(0.0f);
      if (l < grid.active) {
        Corners corners = corners_of(grid.level[l], units + p);
        Float weight[8];
        weights_of(corners, weight);
        for (int c = 0; c < 8; ++c) {
          Float a, b;
          gather(grid.table, corners.row[c], a, b);
          sum_a += weight[c] * a, sum_b += weight[c] * b;
        }
      }
      store(first + p, sum_a);
      store(second + p, sum_b);
    }
  }
}

// a[0] b[0] a[1] b[1] ...
INLINE void store_pairs(float* to, Float a, Float b) {
#if KERNEL_LANES == 16 && defined(__AVX512F__)
  __m512 low = _mm512_maskz_unpacklo_ps(0xffff, (__m512)a, (__m512)b);
  __m512 high = _mm512_maskz_unpackhi_ps(0xffff, (__m512)a, (__m512)b);
  alignas(64) float parts[2][16];
  _mm512_store_ps(parts[0], low), _mm512_store_ps(parts[1], high);
  for (int i = 0; i < 8; ++i) __builtin_memcpy(to + 4 * i, parts[i & 1] + 4 * (i >> 1), 16);
#elif KERNEL_LANES == 8 && defined(__AVX__)
  __m256 low = _mm256_unpacklo_ps((__m256)a, (__m256)b);
  __m256 high = _mm256_unpackhi_ps((__m256)a, (__m256)b);
  _mm256_storeu_ps(to, _mm256_permute2f128_ps(low, high, 0x20));
  _mm256_storeu_ps(to + 8, _mm256_permute2f128_ps(low, high, 0x31));
#else
  for (int lane = 0; lane < lanes; ++lane) to[2 * lane] = a[lane], to[2 * lane + 1] = b[lane];
#endif
}

template <typename T>
INLINE T read(const float* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
INLINE void add_to(float* place, T value) {
  value += read<T>(place);
  __builtin_memcpy(place, &value, sizeof value);
}

// Rows of a dense level that differ in x alone lie side by side: four numbers at once.
template <bool dense>
static void scatter_level(const Places& job, int l) {
  const Level& level = job.grid.level[l];
  int64_t blocks = (job.count + block_size - 1) / block_size;
  for (int64_t block = 0; block < blocks; ++block) {
    const float* units = job.units + block * 3 * block_size;
    const float* grad = job.features_grad + (block * job.grid.levels + l) * 2 * block_size;
    int64_t left = job.count - block * block_size;
    int points = left < block_size ? (int)left : block_size;
    for (int p = 0; p < points; p += lanes) {
      Corners corners = corners_of(level, units + p);
      Float weight[8], a = load(grad + p), b = load(grad + block_size + p);
      weights_of(corners, weight);
      alignas(64) uint32_t row[8][lanes];
      alignas(64) float part[8][2 * lanes];
      for (int c = 0; c < 8; ++c) {
        __builtin_memcpy(row[c], &corners.row[c], sizeof row[c]);
        store_pairs(part[c], weight[c] * a, weight[c] * b);
      }
      int count = points - p < lanes ? points - p : lanes;
      for (int lane = 0; lane < count; ++lane) {
        for (int c = 0; c < 8; c += dense ? 2 : 1) {
          float* to = job.table_grad + 2 * (size_t)row[c][lane];
          const float* from = part[c] + 2 * lane;
          if constexpr (dense)
            add_to(to, Quad{from[0], from[1], from[2 * lanes], from[2 * lanes + 1]});
          else
            add_to(to, read<Pair>(from));
        }
      }
    }
  }
}

// Gradient of one level's table. Levels do not share rows, so each is a task of its own and the
// sums have a fixed order.
static void scatter(const Places& job, int l) {
  if (l >= job.grid.active) return;
  if (job.grid.level[l].mask == 0)
    scatter_level<true>(job, l);
  else
    scatter_level<false>(job, l);
}

// Gradient of the place of each point: that of the trilinear blend of table times gradient.
static void turn_back(const Places& job, int64_t first, int64_t last) {
  for (int64_t block = first; block < last; ++block) {
    const float* units = job.units + block * 3 * block_size;
    const float* grad = job.features_grad + block * job.grid.levels * 2 * block_size;
    float* out = job.units_grad + block * 3 * block_size;
    for (int p = 0; p < block_size; p += lanes) {
      Float sum_x = all(0.0f), sum_y = all(0.0f), sum_z = all(0.0f);
      for (int l = 0; l < job.grid.active; ++l) {
        Corners corners = corners_of(job.grid.level[l], units + p);
        Float grad_a = load(grad + 2 * l * block_size + p);
        Float grad_b = load(grad + (2 * l + 1) * block_size + p);
        Float value[8];
        for (int c = 0; c < 8; ++c) {
          Float a, b;
          gather(job.grid.table, corners.row[c], a, b);
          value[c] = grad_a * a + grad_b * b;
        }
        float n = (float)job.grid.level[l].resolution;
        Float x = corners.x, y = corners.y, z = corners.z;
        Float edge[4], slope[4];
        for (int i = 0; i < 4; ++i) {
          slope[i] = value[2 * i + 1] - value[2 * i];
          edge[i] = value[2 * i] + x * slope[i];
        }
        Float near = edge[0] + y * (edge[1] - edge[0]), far = edge[2] + y * (edge[3] - edge[2]);
        Float near_x = slope[0] + y * (slope[1] - slope[0]),
              far_x = slope[2] + y * (slope[3] - slope[2]);
        sum_x += n * (near_x + z * (far_x - near_x));
        Float near_y = edge[1] - edge[0], far_y = edge[3] - edge[2];
        sum_y += n * (near_y + z * (far_y - near_y));
        sum_z += n * (far - near);
      }
      store(out + p, sum_x);
      store(out + block_size + p, sum_y);
      store(out + 2 * block_size + p, sum_z);
    }
  }
}

}  // namespace KERNEL_ISA

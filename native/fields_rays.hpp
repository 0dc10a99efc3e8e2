// Rays: which steps along them lie where something is, and what the samples there add up to.
#pragma once

namespace KERNEL_ISA {

// A bit for each step of a ray: set where its sample lies in the scene and in an occupied cell.
static void march(const March& job, int64_t first, int64_t last, uint64_t* bits,
                  int32_t* counts) {
  float scale = 0.5f * job.resolution / job.radius, half = 0.5f * job.resolution;
  Float most = all((float)(job.resolution - 1)), none = all(0.0f), ahead = count_up();
  for (int64_t ray = first; ray < last; ++ray) {
    const float *o = job.origins + 3 * ray, *d = job.directions + 3 * ray;
    float near = job.near[ray], far = job.far[ray], jitter = job.jitter[ray];
    uint64_t* words = bits + ray * job.words;
    int32_t count = 0;
    for (int i = 0; i < job.words; ++i) words[i] = 0;
    for (int k = 0; k < job.slots; k += lanes) {
      Float t = near + (ahead + ((float)k + jitter)) * job.step;
      Int within = t < all(far);
      if (!any(within)) break;
      Int cell[3];
      for (int i = 0; i < 3; ++i)
        cell[i] = truncate(clamp((o[i] + t * d[i]) * scale + half, none, most));
      Int index = (cell[0] * job.resolution + cell[1]) * job.resolution + cell[2];
      uint32_t inside = KERNEL_ISA::bits(within);
      uint64_t found = 0;
      for (int lane = 0; lane < lanes; ++lane)
        found |= (uint64_t)(job.occupied[index[lane]] != 0) << lane;
      found &= inside;
      words[k / 64] |= found << (k % 64);
      count += __builtin_popcountll(found);
    }
    counts[ray] = count;
  }
}

// Weights front to back (Max 1995): each step absorbs 1 - exp(-density * step) of what is left.
// Once no more than `stop` is left, the ray has ended: further weights are zero.
template <int known>
static void composite_rays(const Composite& job, int64_t first, int64_t last) {
  const float scale = -1.44269504f * job.step;
  const int width = known ? known : job.width;
  for (int64_t ray = first; ray < last; ++ray) {
    float left = 1.0f, alpha = 0.0f, distance = 0.0f;
    float* totals = job.totals + ray * width;
    for (int k = 0; k < width; ++k) totals[k] = 0;
    int64_t end = job.starts[ray + 1];
    for (int64_t begin = job.starts[ray]; begin < end; begin += lanes) {
      int count = end - begin < lanes ? (int)(end - begin) : lanes;
      Float density = load_strided(job.density + begin, 1, count);
      Float kept = exp2(max(density * scale, all(-126.0f))), x = density * job.step;
      // 1 - exp(-x) would lose its digits for small x.
      Float series = x * (1.0f - x * 0.5f * (1.0f - x * (1.0f / 3) * (1.0f - x * 0.25f)));
      Float opacity = select(x < 0.03f, series, 1.0f - kept);
      for (int lane = 0; lane < count; ++lane) {
        int64_t i = begin + lane;
        bool alive = left > job.stop;
        float weight = alive ? left * opacity[lane] : 0.0f;
        left = alive ? left * kept[lane] : left;
        job.weights[i] = weight;
        job.left[i] = alive ? left : 0.0f;
        if (weight == 0.0f) continue;
        alpha += weight, distance += weight * job.distances[i];
        for (int k = 0; k < width; ++k) totals[k] += weight * job.values[i * width + k];
      }
    }
    job.alpha[ray] = alpha, job.distance[ray] = distance;
  }
}

// The same in the other direction: what lies behind a sample is dimmed by it.
template <int known>
static void composite_back(const Composite& job, int64_t first, int64_t last) {
  const int width = known ? known : job.width;
  for (int64_t ray = first; ray < last; ++ray) {
    float behind = 0.0f;
    float alpha_grad = job.alpha_grad ? job.alpha_grad[ray] : 0.0f;
    float distance_grad = job.distance_grad ? job.distance_grad[ray] : 0.0f;
    const float* totals = job.totals_grad ? job.totals_grad + ray * width : nullptr;
    for (int64_t i = job.starts[ray + 1] - 1; i >= job.starts[ray]; --i) {
      float weight = job.weights[i];
      const float* values = job.values + i * width;
      float* values_grad = job.values_grad + i * width;
      float grad = alpha_grad + distance_grad * job.distances[i];
      if (job.weights_grad) grad += job.weights_grad[i];
      for (int k = 0; k < width; ++k) {
        float total = totals ? totals[k] : 0.0f;
        grad += total * values[k];
        values_grad[k] = weight * total;
      }
      job.density_grad[i] = job.step * (job.left[i] * grad - behind);
      behind += weight * grad;
    }
  }
}

// Three channels, or three and a normal: the common widths as constants.
static void composite(const Composite& job, int64_t first, int64_t last) {
  if (job.width == 3) return composite_rays<3>(job, first, last);
  if (job.width == 6) return composite_rays<6>(job, first, last);
  composite_rays<0>(job, first, last);
}

static void composite_backward(const Composite& job, int64_t first, int64_t last) {
  if (job.width == 3) return composite_back<3>(job, first, last);
  if (job.width == 6) return composite_back<6>(job, first, last);
  composite_back<0>(job, first, last);
}

}  // namespace KERNEL_ISA

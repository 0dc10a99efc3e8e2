// The density of Gaussians at the points of a grid, a block of it at a time.
#pragma once

namespace KERNEL_ISA {

// Adds the listed blobs to the grid points low..high (ends included), lanes along z. A term
// under the smallest that counts is left out exactly there, not by the block.
static void density(const Density& job, const int32_t* list, int64_t count, const int* low,
                    const int* high) {
  const Float counting = count_up();
  for (int64_t i = 0; i < count; ++i) {
    const Blob& blob = job.blobs[list[i]];
    int from[3], to[3];
    for (int k = 0; k < 3; ++k) {
      from[k] = blob.low[k] > low[k] ? blob.low[k] : low[k];
      to[k] = blob.high[k] < high[k] ? blob.high[k] : high[k];
    }
    const float* rows = blob.rows;
    for (int x = from[0]; x <= to[0]; ++x)
      for (int y = from[1]; y <= to[1]; ++y) {
        float dx = job.origin[0] + (float)x * job.spacing[0] - blob.mean[0];
        float dy = job.origin[1] + (float)y * job.spacing[1] - blob.mean[1];
        float u = rows[0] * dx + rows[1] * dy, v = rows[3] * dx + rows[4] * dy,
              t = rows[6] * dx + rows[7] * dy;
        int64_t line = ((int64_t)x * job.size[1] + y) * job.size[2];
        for (int z = from[2]; z <= to[2]; z += lanes) {
          Float dz = (counting + (float)z) * job.spacing[2] + (job.origin[2] - blob.mean[2]);
          Float first = u + rows[2] * dz, second = v + rows[5] * dz, third = t + rows[8] * dz;
          Float square = first * first + second * second + third * third;
          Int counts = (square <= blob.limit) & (counting <= (float)(to[2] - z));
          if (!any(counts)) continue;
          Float term = exp2(square * -0.72134752f) * blob.opacity;
          term = select(counts, term, all(0.0f));
          int some = to[2] - z + 1 < lanes ? to[2] - z + 1 : lanes;
          float* out = job.density + line + z;
          for (int lane = 0; lane < some; ++lane) out[lane] += term[lane];
          if (job.color == nullptr) continue;
          float* color = job.color + 3 * (line + z);
          for (int lane = 0; lane < some; ++lane)
            for (int k = 0; k < 3; ++k) color[3 * lane + k] += term[lane] * blob.color[k];
        }
      }
  }
}

}  // namespace KERNEL_ISA

// Python binding of the toybox's renderer: checks the arrays, picks the instruction set, shares the
// views among threads. Buffers come in through nanobind's ndarray; there is no link against torch.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "toybox_kernel.hpp"

namespace nb = nanobind;
using namespace toybox;

template <typename T, typename... Config>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu, Config...>;
using Rows = Array<const float, nb::shape<-1, kRow>>;
using Heads = Array<const std::int32_t, nb::shape<-1, kHead>>;
using Indices = Array<const std::int32_t, nb::ndim<1>>;
using Vectors = Array<const float, nb::shape<-1, 3>>;

namespace {

struct Variant {
  const char* name;
  void (*render_view)(const Job&, int);
  void (*probe)(const Probe&);
};

Variant best_variant() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return {"avx512", avx512::render_view, avx512::probe};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {"avx2", avx2::render_view, avx2::probe};
#endif
  return {"baseline", baseline::render_view, baseline::probe};
}

Variant variant_named(const std::string& name) {
  const Variant best = best_variant();
  if (name.empty() || name == best.name) return best;
  if (name == "baseline") return {"baseline", baseline::render_view, baseline::probe};
#if defined(__x86_64__)
  if (name == "avx2" && std::string(best.name) == "avx512")
    return {"avx2", avx2::render_view, avx2::probe};
#endif
  throw std::invalid_argument("this machine has no variant " + name);
}

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

void check_tape(const Rows& rows, const Heads& heads, std::size_t first, std::size_t last) {
  require(first <= last && last <= rows.shape(0), "starts must grow within the rows");
  require(last - first <= kMostParts, "an object has at most 192 parts");
  for (std::size_t i = first; i < last; ++i) {
    const std::int32_t* head = heads.data() + i * kHead;
    require(head[0] >= 0 && head[0] <= kRoundCone, "unknown kind of part");
    require(head[1] >= 0 && head[1] <= kPaint, "unknown operation");
  }
}

void run(const Job& job, const Variant& variant, int threads) {
  std::atomic<int> next{0};
  const auto work = [&] {
    for (int view = next++; view < job.views; view = next++) variant.render_view(job, view);
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads && i < job.views; ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
}

void render(Rows rows, Heads heads, Indices starts, Indices which,
            Array<const float, nb::shape<-1, 4, 4>> viewmat,
            Array<const float, nb::shape<-1, 3, 3>> intrinsics, Vectors light,
            Vectors background, Array<float, nb::shape<-1, -1, -1, 3>> color,
            Array<float, nb::ndim<3>> alpha, std::optional<Array<float, nb::ndim<3>>> depth,
            std::optional<Array<float, nb::shape<-1, -1, -1, 3>>> normal,
            std::optional<Array<std::int32_t, nb::ndim<3>>> part, int samples, int threads,
            const std::string& isa) {
  const std::size_t views = which.shape(0), objects = starts.shape(0) - 1;
  require(starts.shape(0) >= 1 && heads.shape(0) == rows.shape(0), "heads must match rows");
  require(viewmat.shape(0) == views && intrinsics.shape(0) == views && light.shape(0) == views &&
              background.shape(0) == views && color.shape(0) == views,
          "viewmat, intrinsics, light, background and color need one entry per view");
  const auto same = [&](const auto& array) {
    return array.shape(0) == views && array.shape(1) == color.shape(1) &&
           array.shape(2) == color.shape(2);
  };
  require(same(alpha) && (!depth || same(*depth)) && (!normal || same(*normal)) &&
              (!part || same(*part)),
          "alpha, depth, normal and part must have the size of color");
  require(samples >= 1 && samples <= 8, "samples must lie in 1..8");
  for (std::size_t i = 0; i < objects; ++i) {
    require(starts.data()[i] >= 0, "starts must grow within the rows");
    check_tape(rows, heads, starts.data()[i], starts.data()[i + 1]);
  }
  for (std::size_t i = 0; i < views; ++i)
    require(which.data()[i] >= 0 && which.data()[i] < static_cast<int>(objects),
            "which must name an object");
  const Variant variant = variant_named(isa);
  const Job job{rows.data(), heads.data(), starts.data(), which.data(), viewmat.data(),
                intrinsics.data(), light.data(), background.data(), static_cast<int>(views),
                static_cast<int>(color.shape(2)), static_cast<int>(color.shape(1)), samples,
                color.data(), alpha.data(), depth ? depth->data() : nullptr,
                normal ? normal->data() : nullptr, part ? part->data() : nullptr};
  nb::gil_scoped_release released;
  run(job, variant, threads);
}

void distance(Rows rows, Heads heads, Vectors points, Array<float, nb::ndim<1>> out,
              std::optional<Array<std::int32_t, nb::ndim<1>>> part) {
  require(heads.shape(0) == rows.shape(0), "heads must match rows");
  require(out.shape(0) == points.shape(0) && (!part || part->shape(0) == points.shape(0)),
          "the results must have one entry per point");
  check_tape(rows, heads, 0, rows.shape(0));
  const Probe probe{rows.data(), heads.data(), static_cast<int>(rows.shape(0)), points.data(),
                    static_cast<std::int64_t>(points.shape(0)), out.data(),
                    part ? part->data() : nullptr};
  const Variant variant = best_variant();
  nb::gil_scoped_release released;
  variant.probe(probe);
}

}  // namespace

NB_MODULE(_toybox, m) {
  m.def("render", &render, nb::arg("rows"), nb::arg("heads"), nb::arg("starts"),
        nb::arg("which"), nb::arg("viewmat"), nb::arg("intrinsics"), nb::arg("light"),
        nb::arg("background"), nb::arg("color"), nb::arg("alpha"), nb::arg("depth").none(),
        nb::arg("normal").none(), nb::arg("part").none(), nb::arg("samples"),
        nb::arg("threads"), nb::arg("isa") = "");
  m.def("distance", &distance, nb::arg("rows"), nb::arg("heads"), nb::arg("points"),
        nb::arg("out"), nb::arg("part").none());
  m.def("variants", [] {
    nb::list names;
    for (const char* name : {"baseline", "avx2", "avx512"}) {
      try {
        names.append(variant_named(name).name);
      } catch (const std::invalid_argument&) {
        continue;  // This machine lacks it.
      }
    }
    return names;
  });
}

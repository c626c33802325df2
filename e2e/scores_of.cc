// scores_of MODEL_FOLDER view|tensor: reads pictures from standard input, as views (width * height
// * 3 bytes of RGB) or as tensors (floats in the model's own layout), and writes a line for each:
// the scores in the order of the model's labels.
#include <cstdio>

#include "infer/infer.h"

using namespace portcullis;

int main(int argc, char** argv) {
  const std::string_view kind = argc == 3 ? argv[2] : "";
  if (kind != "view" && kind != "tensor") {
    std::fputs("usage: scores_of MODEL_FOLDER view|tensor <PICTURES\n", stderr);
    return 2;
  }
  auto model = infer::Model::load(argv[1], {.threads = 1});
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().what.c_str());
    return 1;
  }
  const infer::Manifest& manifest = (*model)->manifest();
  const std::size_t values = std::size_t{manifest.width} * manifest.height * 3;
  Bytes view(values);
  std::vector<float> tensor(values);
  while (kind == "view" ? std::fread(view.data(), values, 1, stdin) == 1
                        : std::fread(tensor.data(), values * sizeof(float), 1, stdin) == 1) {
    const auto scores = kind == "view" ? (*model)->scores(std::vector<infer::View>{view})
                                       : (*model)->scores_of_tensor(tensor, 1);
    if (!scores) {
      std::fprintf(stderr, "%s\n", scores.error().what.c_str());
      return 1;
    }
    for (const std::string& label : manifest.labels)
      std::printf("%.9g ", scores->front().at(label));
    std::puts("");
  }
  return 0;
}

#include <nlohmann/json.hpp>

#include "apps/attn-mil/slide_args.h"
#include "apps/attn-mil/verbs.h"
#include "apps/common/batch.h"
#include "pathology/chain/outputs.h"
#include "pathology/chain/slide_files.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct TissueVerbArgs {
  SlideArgs slides;
  TissueArgs tissue;
  fs::path out;
};

void declare(TissueVerbArgs& args, OptionTable& table) {
  declare_slides(args.slides, table);
  table.add({.name = "out",
             .target = &args.out,
             .help = "folder for previews/, outlines/ and tissue/",
             .unit = "DIR",
             .required = true});
  declare_tissue(args.tissue, table);
}

int run(const TissueVerbArgs& args, const Context& context) {
  const auto slides = args.slides.find();
  const auto tissue = args.tissue.options();
  Batch batch{.folder = args.out, .items = {}, .current = {}, .work = {}};
  std::vector<pathology::TissueFiles> files;
  std::vector<fs::path> written;
  for (const auto& slide : slides) {
    files.push_back(pathology::tissue_files(args.out, slide.id));
    batch.items.push_back(
        {slide.id, files.back().facts, {files.back().preview, files.back().outlines}});
    written.insert(written.end(),
                   {files.back().facts, files.back().preview, files.back().outlines});
  }
  pathology::refuse_overwriting(written, pathology::files_of_slides(args.slides.inputs, slides));
  batch.current = [&](size_t i) {
    return pathology::tissue_files_current(files[i], args.slides.open(slides[i]), tissue);
  };
  batch.work = [&](size_t i) {
    pathology::write_tissue_files(files[i], args.slides.open(slides[i]), tissue,
                                  context.common.threads, context.hooks);
  };
  const auto result = run_batch(batch, context);
  if (context.common.json) print_json(to_json(result));
  return result.exit_code();
}

}  // namespace

Verb tissue_verb() {
  return bind(
      Verb{.name = "tissue",
           .summary = "find the tissue of slides: preview pictures, and outlines as GeoJSON",
           .example = "attn-mil tissue W/data/slides --out W/tissue",
           .batch = true},
      declare, run);
}

}  // namespace attn::app

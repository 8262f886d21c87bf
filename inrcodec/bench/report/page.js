// Each exhibit: two versions of a picture over one another, parted by a seam that follows the pointer or the keys.
for (const exhibit of document.querySelectorAll(".exhibit")) {
  const stage = exhibit.querySelector(".stage");
  const slider = stage.querySelector("input");
  const tiles = new Map([...exhibit.querySelectorAll(".tile")].map((tile) => [tile.dataset.name, tile]));
  const selects = { left: exhibit.querySelector("select.left"), right: exhibit.querySelector("select.right") };

  const part = () => stage.parentElement.style.setProperty("--split", slider.value + "%");
  const show = (side) => {
    const tile = tiles.get(selects[side].value);
    stage.querySelector("img." + side).src = tile.dataset.whole;
    stage.querySelector("img." + side).alt = tile.dataset.name;
    stage.querySelector(".tag." + side).textContent = tile.dataset.tag;
    for (const [name, other] of tiles) other.setAttribute("aria-pressed", name === selects.right.value);
  };
  slider.addEventListener("input", part);
  stage.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    const box = stage.getBoundingClientRect();
    slider.value = (100 * (event.clientX - box.left)) / box.width;
    part();
  });
  for (const side of ["left", "right"]) selects[side].addEventListener("change", () => show(side));
  for (const [name, tile] of tiles) {
    tile.addEventListener("click", () => {
      selects.right.value = name;
      show("right");
    });
  }
  show("left");
  show("right");
}

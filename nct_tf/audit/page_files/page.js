// The page of a label audit: shows suspects and keeps what is decided on them.
//
// Data reach the document as text and attributes alone, never as markup. A
// suspect is known by its index in the data, a card by its position among those
// that the filters show.

"use strict";

(() => {
  const CHUNK = 36; // Cards that are added at a time.
  const MAX_PAIRS = 100; // Of the select.
  const HEAT_LEVELS = 6;
  const MESSAGE_MILLISECONDS = 6000;
  const CSV_COLUMNS = ["id", "decision", "label"];

  const data = window.auditData;
  const {classNames, suspects, thresholds, numFlagged} = data;
  const storageKey = `label-audit.${data.fingerprint}`;

  // What was decided, by index: {decision, label}; label is a class or null.
  const decisions = new Map();
  // What was changed, the latest last: lists of {index, decided}, with what
  // each decision was before.
  const changes = [];
  const filters = {given: "", suggested: "", show: "all"};
  let position = data.initialPosition; // Of the slider.
  let shown = []; // Indices of the suspects that pass the filters.
  let current = 0; // The position of the card that the keys are for.
  let unsaved = false;
  let messageEnd; // The timer that takes the message away.

  const byId = (id) => document.getElementById(id);
  const grid = byId("grid");
  const matrix = byId("matrix");
  const cardTemplate = byId("card-template").content.firstElementChild;

  // Texts.

  function count(number, noun) {
    const text = number.toLocaleString("en-US");
    return noun ? `${text} ${noun}${number === 1 ? "" : "s"}` : text;
  }

  function percent(fraction) {
    return fraction === null ? "unknown" : `${(100 * fraction).toFixed(1)}\u00a0%`;
  }

  function figure(value) {
    return value === null ? "" : value.toFixed(2);
  }

  // Returns a score or threshold, shortened downwards: what is flagged at 0.95
  // reads 0.949 if it has not reached 0.95.
  function shorten(value) {
    return (Math.floor(1000 * value + 1e-9) / 1000).toFixed(3);
  }

  function describeDecision(index) {
    const decided = decisions.get(index);
    if (!decided) {
      return "undecided";
    }
    if (decided.decision === "relabel") {
      return `relabelled ${classNames[decided.label]}`;
    }
    return decided.decision === "keep" ? "kept" : "dropped";
  }

  // Shows a message for some seconds.
  function say(text) {
    clearTimeout(messageEnd);
    byId("said").textContent = text;
    byId("said").className = "";
    messageEnd = setTimeout(hush, MESSAGE_MILLISECONDS);
  }

  // Shows a message until something is done.
  function complain(text) {
    say(text);
    clearTimeout(messageEnd);
    byId("said").className = "error";
  }

  function hush() {
    clearTimeout(messageEnd);
    byId("said").textContent = "";
  }

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  function makeOption(value, text) {
    return make("option", {value}, text);
  }

  // What survives a reload.

  function warnOfStorage() {
    const warning = byId("storage-warning");
    warning.textContent =
      "This browser keeps no decisions for this page: they are lost when it " +
      "is closed or reloaded. Save decisions.csv before.";
    warning.hidden = false;
  }

  // Returns rows of [id, decision, name of the label], in the order of rank.
  function listDecisions() {
    const indices = [...decisions.keys()].sort((a, b) => a - b);
    return indices.map((index) => {
      const {decision, label} = decisions.get(index);
      const name = label === null ? "" : classNames[label];
      return [suspects.id[index], decision, name];
    });
  }

  function store() {
    try {
      window.localStorage.setItem(storageKey, JSON.stringify(listDecisions()));
      unsaved = false;
    } catch {
      unsaved = true;
      warnOfStorage();
    }
  }

  function restore() {
    let rows;
    try {
      rows = JSON.parse(window.localStorage.getItem(storageKey)) || [];
    } catch {
      warnOfStorage();
      return;
    }
    decisions.clear();
    for (const {index, decided} of understand(rows)) {
      decisions.set(index, decided);
    }
  }

  // Returns what this page knows of rows such as `listDecisions` lists.
  function understand(rows) {
    const indices = new Map(suspects.id.map((id, index) => [id, index]));
    const understood = [];
    for (const [id, decision, name] of rows) {
      const index = indices.get(id);
      const label = decision === "relabel" ? classNames.indexOf(name) : null;
      const known = ["keep", "relabel", "drop"].includes(decision);
      if (index !== undefined && known && label !== -1) {
        understood.push({index, decided: {decision, label}});
      }
    }
    return understood;
  }

  // CSV, as of RFC 4180, but for the line ends.

  function quote(field) {
    return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
  }

  function formatCsv() {
    const rows = [CSV_COLUMNS, ...listDecisions()];
    return rows.map((row) => `${row.map(quote).join(",")}\n`).join("");
  }

  function parseCsv(text) {
    const rows = [];
    const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
    let row = [];
    while (field.lastIndex < text.length || row.length > 0) {
      const match = field.exec(text);
      if (!match) {
        return null;
      }
      const quoted = match[1];
      row.push(
        quoted === undefined ? match[2] : quoted.replaceAll('""', '"'),
      );
      if (match[3] !== ",") {
        rows.push(row);
        row = [];
      }
    }
    return rows;
  }

  function save() {
    const blob = new Blob([formatCsv()], {type: "text/csv;charset=utf-8"});
    const url = URL.createObjectURL(blob);
    make("a", {href: url, download: "decisions.csv"}).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    unsaved = false;
    say(`${count(decisions.size, "decision")} saved.`);
  }

  // Returns the rows of a file's text, [id, decision, label] each. Throws an
  // error that says what is wrong.
  function readRows(text) {
    const parsed = parseCsv(text.replace(/^\ufeff/, ""));
    if (!parsed) {
      throw new Error("is no CSV file");
    }
    const [header, ...rows] = parsed;
    const places = CSV_COLUMNS.map((name) => (header || []).indexOf(name));
    if (places.includes(-1)) {
      throw new Error(`must have the columns ${CSV_COLUMNS.join(", ")}`);
    }
    const isBlank = (row) => row.length === 1 && row[0] === "";
    const bad = rows.findIndex(
      (row) => row.length !== header.length && !isBlank(row),
    );
    if (bad !== -1) {
      throw new Error(`must have ${header.length} values in row ${bad + 2}`);
    }
    return rows
      .filter((row) => !isBlank(row))
      .map((row) => places.map((place) => row[place]));
  }

  // Adds a file's decisions; where they are others, they win.
  async function load(file) {
    let rows;
    try {
      const text = await file.text().catch(() => {
        throw new Error("cannot be read");
      });
      rows = readRows(text);
    } catch (error) {
      complain(`${file.name} ${error.message}: nothing was loaded.`);
      return;
    }
    const understood = understand(rows);
    const numUnknown = rows.length - understood.length;
    changeAll(understood);
    refresh();
    say(
      `${file.name}: ${count(rows.length, "row")} read, ` +
        `${count(understood.length, "decision")} loaded` +
        (numUnknown
          ? `; ${count(numUnknown)} left out, with a picture, decision or ` +
            "class that this page does not have."
          : "."),
    );
  }

  // Decisions.

  function decide(index, decision, label = null) {
    changeAll([{index, decided: decision && {decision, label}}]);
  }

  // Changes decisions; one undo takes all of it back.
  function changeAll(changed) {
    hush();
    if (changed.length) {
      changes.push(setAll(changed));
      showProgress();
    }
  }

  // Sets decisions; returns what sets them back.
  function setAll(changed) {
    const former = [];
    for (const {index, decided} of changed) {
      former.unshift({index, decided: decisions.get(index) || null});
      if (decided) {
        decisions.set(index, decided);
      } else {
        decisions.delete(index);
      }
    }
    store();
    showDecisions(new Set(changed.map(({index}) => index)));
    return former;
  }

  // Brings the cards of some suspects up to date.
  function showDecisions(indices) {
    for (const card of grid.querySelectorAll(".card")) {
      const index = shown[placeOf(card.parentElement)];
      if (indices.has(index)) {
        showDecision(card, index);
      }
    }
  }

  function undecidedShown() {
    return shown.filter((index) => !decisions.has(index));
  }

  function acceptAll() {
    const undecided = undecidedShown();
    changeAll(
      undecided.map((index) => ({
        index,
        decided: {decision: "relabel", label: suspects.suggested[index]},
      })),
    );
    say(
      undecided.length
        ? `${count(undecided.length, "picture")} relabelled as suggested. ` +
            "Undo takes all of it back."
        : "All pictures that are shown are decided.",
    );
  }

  // Undoes the last change since the page was opened; where there is none, the
  // decision on a given suspect. Returns the index of the suspect, if it is
  // one, or undefined.
  function undo(given) {
    let former = changes.pop();
    if (!former && decisions.has(given)) {
      former = [{index: given, decided: null}];
    }
    if (!former) {
      say("There is nothing to undo.");
      return undefined;
    }
    setAll(former);
    showProgress();
    if (former.length > 1) {
      say(`Undone: ${count(former.length, "decision")}.`);
      return undefined;
    }
    const [{index}] = former;
    say(`Undone: ${suspects.id[index]} is ${describeDecision(index)}.`);
    return index;
  }

  function showProgress() {
    const flagged = flaggedSuspects();
    const decided = flagged.filter((index) => decisions.has(index)).length;
    byId("progress").textContent =
      `${count(decided)} of ${count(flagged.length)} decided`;
    byId("bar").value = flagged.length ? decided / flagged.length : 0;
    byId("save").disabled = decisions.size === 0;
    byId("undo").disabled = changes.length === 0;
    const number = undecidedShown().length;
    byId("accept").textContent = number
      ? `Accept all ${count(number)} shown`
      : "Accept all shown";
    byId("accept").disabled = number === 0;
  }

  // Cards.

  // Returns the card at a position, or what is false if there is none now.
  function findCard(place) {
    const item = grid.children[place];
    return item && item.firstElementChild;
  }

  function placeOf(item) {
    return Number(item.getAttribute("aria-posinset")) - 1;
  }

  function makeCard(index) {
    const card = cardTemplate.cloneNode(true);
    const part = (name) => card.querySelector(name);
    const name = (key) => classNames[suspects[key][index]];
    const id = suspects.id[index];
    const image = part("img");
    image.alt = id;
    image.src = suspects.thumbnail[index];
    const split = suspects.split[index];
    part(".rank").textContent =
      `#${count(suspects.rank[index])}` + (split === "train" ? "" : ` ${split}`);
    part(".given").textContent = name("given");
    part(".suggested").textContent = name("suggested");
    part(".given").parentElement.title = name("given");
    part(".suggested").parentElement.title = name("suggested");
    part(".given-probability").textContent = figure(
      suspects.givenProbability[index],
    );
    part(".suggested-probability").textContent = figure(
      suspects.suggestedProbability[index],
    );
    part(".score").textContent = shorten(suspects.score[index]);
    part(".disagreement").textContent = figure(suspects.disagreement[index]);
    part(".disagreement-row").hidden = suspects.disagreement[index] === null;
    part(".id").textContent = id;
    part(".id").title = id;
    part("[data-decision=relabel]").title = `Relabel: ${name("suggested")}`;
    part(".other").setAttribute("aria-label", `Another class for ${id}`);
    showDecision(card, index);
    return card;
  }

  function showDecision(card, index) {
    const decided = decisions.get(index);
    const suggested = suspects.suggested[index];
    card.className = `card ${decided ? decided.decision : ""}`;
    const isOther =
      decided && decided.label !== null && decided.label !== suggested;
    for (const button of card.querySelectorAll("[data-decision]")) {
      const isIt = decided && decided.decision === button.dataset.decision;
      button.setAttribute("aria-pressed", Boolean(isIt && !isOther));
    }
    const verdict = decided ? describeDecision(index) : "";
    card.querySelector(".verdict").textContent = verdict;
    card.querySelector(".verdict").title = verdict;
    const select = card.querySelector(".other");
    if (select.length === 0) {
      select.append(makeOption("", "Another class…"));
    }
    if (isOther) {
      fillSelect(select);
    }
    select.value = isOther ? decided.label : "";
    select.classList.toggle("chosen", Boolean(isOther));
    card.setAttribute(
      "aria-label",
      `${suspects.id[index]}: given ${classNames[suspects.given[index]]}, ` +
        `suggested ${classNames[suggested]}, score ` +
        `${shorten(suspects.score[index])}, ${describeDecision(index)}`,
    );
  }

  // Gives a select its classes, when it is about to be used: a hundred for each
  // of ten thousand cards would take seconds.
  function fillSelect(select) {
    if (select.length <= 1) {
      select.append(...classNames.map((name, i) => makeOption(i, name)));
    }
  }

  // Gives an item of the grid its card.
  function fillItem(item) {
    if (!item.firstElementChild) {
      const place = placeOf(item);
      item.append(makeCard(shown[place]));
      item.style.minHeight = "";
      if (place === current) {
        setCurrent(place);
      }
    }
  }

  // Takes its card from an item that is far away, and leaves the room for it:
  // ten thousand cards at once would make the browser slow.
  function emptyItem(item, height) {
    if (placeOf(item) !== current) {
      item.style.minHeight = `${height}px`;
      item.replaceChildren();
    }
  }

  const itemObserver = new IntersectionObserver(
    (entries) => {
      for (const {isIntersecting, target, boundingClientRect} of entries) {
        if (!target.isConnected) {
          continue; // The filters were changed since.
        }
        if (isIntersecting) {
          fillItem(target);
        } else {
          emptyItem(target, boundingClientRect.height);
        }
      }
    },
    {rootMargin: "3000px"},
  );

  function showMore() {
    const first = grid.children.length;
    const last = Math.min(first + CHUNK, shown.length);
    for (let place = first; place < last; place += 1) {
      const item = make("li", {
        "aria-posinset": place + 1,
        "aria-setsize": shown.length,
      });
      fillItem(item);
      grid.append(item);
      itemObserver.observe(item);
    }
    byId("more").hidden = last === shown.length;
    // An observer tells of its target once; asked anew, it tells again.
    endObserver.unobserve(byId("more"));
    endObserver.observe(byId("more"));
  }

  const endObserver = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        showMore();
      }
    },
    {rootMargin: "1000px"},
  );

  // Makes a card the one that Tab leads to, with its buttons.
  function setCurrent(place) {
    for (const [card, tabIndex] of [
      [findCard(current), -1],
      [findCard(place), 0],
    ]) {
      if (card) {
        card.tabIndex = tabIndex;
        for (const control of card.querySelectorAll("button, select")) {
          control.tabIndex = tabIndex;
        }
      }
    }
    current = place;
  }

  function focusCard(place) {
    const target = Math.max(0, Math.min(place, shown.length - 1));
    while (target >= grid.children.length && target < shown.length) {
      showMore();
    }
    if (target in shown) {
      fillItem(grid.children[target]);
      setCurrent(target);
      findCard(target).focus();
    }
  }

  // Filters.

  function flaggedSuspects() {
    const threshold = thresholds[position];
    const flagged = [];
    suspects.score.forEach((score, index) => {
      if (score >= threshold) {
        flagged.push(index);
      }
    });
    return flagged;
  }

  function passes(index) {
    const {given, suggested, show} = filters;
    return (
      (given === "" || suspects.given[index] === Number(given)) &&
      (suggested === "" || suspects.suggested[index] === Number(suggested)) &&
      (show === "all" || decisions.has(index) === (show === "decided"))
    );
  }

  // Shows the cards of what passes the filters now, from the first.
  function refresh() {
    hush();
    shown = flaggedSuspects().filter(passes);
    current = 0;
    itemObserver.disconnect();
    grid.replaceChildren();
    showMore();
    setCurrent(0);
    byId("empty").hidden = shown.length > 0;
    byId("shown").textContent = `${count(shown.length, "picture")} shown`;
    const {given, suggested, show} = filters;
    byId("given").value = given;
    byId("suggested").value = suggested;
    byId("show").value = show;
    showPair(given, suggested);
    byId("clear").disabled = !given && !suggested && show === "all";
    showProgress();
    if (byId("pictures").getBoundingClientRect().top < 0) {
      byId("pictures").scrollIntoView();
    }
  }

  function setFilters(values) {
    Object.assign(filters, values);
    refresh();
  }

  function fillFilters() {
    for (const key of ["given", "suggested"]) {
      byId(key).append(
        makeOption("", "all"),
        ...classNames.map((name, i) => makeOption(i, name)),
      );
      byId(key).addEventListener("change", (event) => {
        setFilters({[key]: event.target.value});
      });
    }
    byId("show").addEventListener("change", (event) => {
      setFilters({show: event.target.value});
    });
    byId("clear").addEventListener("click", () => {
      setFilters({given: "", suggested: "", show: "all"});
    });
    const pairs = [...pairCounts].sort((a, b) => b[1] - a[1]);
    byId("pair").append(
      makeOption("", "all"),
      ...pairs.slice(0, MAX_PAIRS).map(([pair]) => makePairOption(pair)),
    );
    byId("pair").addEventListener("change", (event) => {
      const [given, suggested = ""] = event.target.value.split(",");
      setFilters({given, suggested});
    });
  }

  function makePairOption(pair) {
    const [given, suggested] = pair.split(",");
    const number = pairCounts.get(pair) || 0;
    return makeOption(
      pair,
      `${classNames[given]} → ${classNames[suggested]} (${number})`,
    );
  }

  function showPair(given, suggested) {
    const pair = given && suggested ? `${given},${suggested}` : "";
    const select = byId("pair");
    select.value = pair;
    if (select.value !== pair) { // It is rare, or there is none of it.
      select.append(makePairOption(pair));
      select.value = pair;
    }
    const pressed = matrix.querySelector("[aria-pressed=true]");
    if (pressed) {
      pressed.setAttribute("aria-pressed", "false");
    }
    if (pair) {
      findCell(suggested, given)?.setAttribute("aria-pressed", "true");
    }
  }

  // Numbers of suspects by "given,suggested".
  const pairCounts = new Map();
  suspects.given.forEach((given, index) => {
    const pair = `${given},${suspects.suggested[index]}`;
    pairCounts.set(pair, (pairCounts.get(pair) || 0) + 1);
  });

  // The threshold.

  function showHistogram() {
    const {histogramCounts, histogramEdges} = data;
    const highest = Math.log1p(Math.max(...histogramCounts));
    const bars = histogramCounts.map((number, i) => {
      const from = histogramEdges[i].toFixed(2);
      const to = histogramEdges[i + 1].toFixed(2);
      const bar = make("span", {
        title: `${from} to ${to}: ${count(number, "example")}`,
      });
      bar.style.height = `${(100 * Math.log1p(number)) / (highest || 1)}%`;
      return bar;
    });
    byId("bars").replaceChildren(...bars);
    byId("bars").setAttribute(
      "aria-label",
      `Histogram of the scores of ${count(data.numExamples, "example")}`,
    );
  }

  function showThreshold() {
    const threshold = thresholds[position];
    const number = numFlagged[position];
    const share = data.numExamples ? number / data.numExamples : 0;
    const text =
      `flags ${count(number)} of ${count(data.numExamples, "example")} ` +
      `(${percent(share)})`;
    const numHere = flaggedSuspects().length;
    byId("flagged").replaceChildren(
      make("strong", {}, shorten(threshold)),
      ` ${text}`,
      numHere < number ? `; ${count(numHere)} of them are on this page` : "",
    );
    byId("threshold").setAttribute(
      "aria-valuetext",
      `${shorten(threshold)} ${text}`,
    );
    byId("marker").style.left = `${100 * threshold}%`;
    [...byId("bars").children].forEach((bar, i) => {
      bar.className =
        data.histogramEdges[i + 1] > threshold ? "flagged" : "";
    });
  }

  function startThreshold() {
    const slider = byId("threshold");
    slider.max = thresholds.length - 1;
    slider.value = position;
    let waiting = false;
    slider.addEventListener("input", () => {
      position = Number(slider.value);
      showThreshold();
      if (!waiting) { // At most once a frame, however fast it is dragged.
        waiting = true;
        requestAnimationFrame(() => {
          waiting = false;
          refresh();
        });
      }
    });
    showHistogram();
    showThreshold();
  }

  // The transition matrix.

  // It has some of the classes alone where there are many. Rows and columns are
  // places in it; `matrixClasses` has their classes.
  const {matrixClasses} = data;

  // Returns the cell of two classes, or null if the matrix does not have them.
  function findCell(trueClass, givenClass) {
    const [row, column] = [trueClass, givenClass].map((each) =>
      matrixClasses.indexOf(Number(each)),
    );
    return row < 0 || column < 0 ? null : cellAt(row, column);
  }

  function cellAt(row, column) {
    return matrix.rows[row + 1].cells[column + 1].firstElementChild;
  }

  function makeMatrix() {
    const mixedUp = data.transition.flatMap((row, i) =>
      row.filter((value, j) => i !== j && value !== null),
    );
    const highest = mixedUp.reduce((a, b) => Math.max(a, b), 0) || 1;
    const head = make("tr", {}, make("th", {scope: "col"}, "true \\ given"));
    for (const name of matrixClasses.map((each) => classNames[each])) {
      const text = make("span", {}, name);
      head.append(make("th", {scope: "col", title: name}, text));
    }
    const body = make("tbody", {});
    data.transition.forEach((values, row) => {
      const name = classNames[matrixClasses[row]];
      const line = make(
        "tr",
        {},
        make("th", {scope: "row", title: name}, name),
      );
      values.forEach((value, column) => {
        line.append(make("td", {}, makeCell(row, column, value / highest)));
      });
      body.append(line);
    });
    matrix.append(make("thead", {}, head), body);
    if (matrixClasses.length) {
      cellAt(0, 0).tabIndex = 0;
    }
  }

  function makeCell(row, column, heat) {
    const value = data.transition[row][column];
    const level = Math.min(HEAT_LEVELS, Math.ceil(HEAT_LEVELS * heat ** 0.5));
    return make(
      "button",
      {
        type: "button",
        class: row === column ? "diagonal" : `heat-${level}`,
        tabindex: -1,
        "aria-pressed": "false",
        "aria-label": describeCell(row, column),
      },
      formatCell(value),
    );
  }

  function formatCell(value) {
    if (value === null) {
      return "?";
    }
    if (value < 0.0005) {
      return "·";
    }
    return (100 * value).toFixed(value < 0.0995 ? 1 : 0);
  }

  function describeCell(row, column) {
    return (
      `${classNames[matrixClasses[row]]} given as ` +
      `${classNames[matrixClasses[column]]}: ` +
      percent(data.transition[row][column])
    );
  }

  function showCellNote(row, column) {
    const low = percent(data.transitionLow[row][column]);
    const high = percent(data.transitionHigh[row][column]);
    const pair = `${matrixClasses[column]},${matrixClasses[row]}`;
    const number = pairCounts.get(pair) || 0;
    byId("cell-note").textContent =
      `${describeCell(row, column)} (between ${low} and ${high}), ` +
      `${count(number, "picture")} on this page`;
  }

  function placeOfCell(target) {
    const cell = target.closest("td");
    return cell && [cell.parentElement.rowIndex - 1, cell.cellIndex - 1];
  }

  function startMatrix() {
    makeMatrix();
    matrix.addEventListener("click", (event) => {
      const place = placeOfCell(event.target);
      if (place) {
        const [suggested, given] = place.map((at) => String(matrixClasses[at]));
        const isOn = filters.given === given && filters.suggested === suggested;
        setFilters(isOn ? {given: "", suggested: ""} : {given, suggested});
      }
    });
    for (const kind of ["focusin", "pointerover"]) {
      matrix.addEventListener(kind, (event) => {
        const place = placeOfCell(event.target);
        if (place) {
          showCellNote(...place);
        }
      });
    }
    matrix.addEventListener("focusin", (event) => {
      matrix.querySelector("[tabindex='0']").tabIndex = -1;
      event.target.tabIndex = 0;
    });
    matrix.addEventListener("keydown", moveInMatrix);
  }

  function moveInMatrix(event) {
    const place = placeOfCell(event.target);
    const last = matrixClasses.length - 1;
    const step = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      Home: [0, -last],
      End: [0, last],
    }[event.key];
    if (!place || !step || hasModifier(event)) {
      return;
    }
    event.preventDefault();
    const [row, column] = place.map((at, i) =>
      Math.max(0, Math.min(at + step[i], last)),
    );
    cellAt(row, column).focus();
  }

  // Keyboard and mouse on cards.

  function hasModifier(event) {
    return event.ctrlKey || event.altKey || event.metaKey;
  }

  // Returns the position of the card that an element is in, or null.
  function placeOfCard(target) {
    const item = target.closest(".grid > li");
    return item && placeOf(item);
  }

  function numColumns() {
    return getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  }

  function pressKey(event) {
    const place = placeOfCard(event.target);
    if (place === null || hasModifier(event)) {
      return;
    }
    if (event.key === "Escape") {
      focusCard(place);
    }
    const {tagName} = event.target;
    // A select needs its keys, a button Enter.
    if (
      tagName === "SELECT" ||
      (tagName === "BUTTON" && event.key === "Enter")
    ) {
      return;
    }
    const index = shown[place];
    const decideAndGoOn = (...decided) => {
      if (!event.repeat) { // A key held down must not decide on all.
        decide(index, ...decided);
        focusCard(place + 1);
      }
    };
    const actions = {
      arrowleft: () => focusCard(place - 1),
      arrowright: () => focusCard(place + 1),
      arrowup: () => place >= numColumns() && focusCard(place - numColumns()),
      arrowdown: () => focusCard(place + numColumns()),
      home: () => focusCard(0),
      k: () => decideAndGoOn("keep"),
      r: () => decideAndGoOn("relabel", suspects.suggested[index]),
      enter: () => decideAndGoOn("relabel", suspects.suggested[index]),
      d: () => decideAndGoOn("drop"),
      a: () => event.shiftKey && !event.repeat && acceptAll(),
      u: () => {
        const undone = shown.indexOf(undo(index));
        focusCard(undone === -1 ? place : undone);
      },
    };
    const action = actions[event.key.toLowerCase()];
    if (action) {
      event.preventDefault();
      action();
    }
  }

  function clickCard(event) {
    const place = placeOfCard(event.target);
    const button = event.target.closest("[data-decision]");
    if (place === null || !button) {
      return;
    }
    const index = shown[place];
    const {decision} = button.dataset;
    if (button.getAttribute("aria-pressed") === "true") {
      decide(index, null); // Pressed again, it is taken back.
    } else {
      const label = decision === "relabel" ? suspects.suggested[index] : null;
      decide(index, decision, label);
    }
  }

  function chooseOther(event) {
    const index = shown[placeOfCard(event.target)];
    if (event.target.value === "") {
      decide(index, null);
    } else {
      decide(index, "relabel", Number(event.target.value));
    }
  }

  function startGrid() {
    grid.addEventListener("keydown", pressKey);
    grid.addEventListener("click", clickCard);
    grid.addEventListener("change", chooseOther);
    grid.addEventListener("focusin", (event) => {
      setCurrent(placeOfCard(event.target));
      fillSelect(findCard(current).querySelector(".other"));
    });
    // A finger or a mouse is there before the focus.
    for (const kind of ["pointerover", "pointerdown"]) {
      grid.addEventListener(kind, (event) => {
        if (event.target.tagName === "SELECT") {
          fillSelect(event.target);
        }
      });
    }
  }

  // Everything else.

  async function copyCommand() {
    const button = byId("copy");
    try {
      await navigator.clipboard.writeText(byId("command").textContent);
      button.textContent = "Copied";
    } catch { // Then it is marked, for Ctrl-C.
      window.getSelection().selectAllChildren(byId("command"));
      button.textContent = "Marked: now press Ctrl-C";
    }
  }

  // A file that is dropped anywhere is loaded.
  function startDropping() {
    const mark = (isOver) => document.body.classList.toggle("over", isOver);
    const hasFiles = (event) => event.dataTransfer.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (hasFiles(event)) {
        event.preventDefault();
        mark(true);
      }
    });
    document.addEventListener("dragleave", (event) => {
      mark(event.relatedTarget !== null);
    });
    document.addEventListener("drop", (event) => {
      mark(false);
      if (!hasFiles(event)) {
        return;
      }
      event.preventDefault();
      const {files} = event.dataTransfer;
      if (files.length === 1) {
        load(files[0]);
      } else {
        complain("Drop one file at a time: nothing was loaded.");
      }
    });
  }

  function startButtons() {
    byId("save").addEventListener("click", save);
    byId("undo").addEventListener("click", () => undo());
    byId("more").addEventListener("click", showMore);
    byId("copy").addEventListener("click", copyCommand);
    byId("accept").addEventListener("click", acceptAll);
    byId("load").addEventListener("change", ({target}) => {
      load(target.files[0]);
      target.value = ""; // The same file can be chosen again.
    });
    startDropping();
    window.addEventListener("beforeunload", (event) => {
      if (unsaved) {
        event.preventDefault();
      }
    });
    // The same page in another tab: both hold all decisions.
    window.addEventListener("storage", (event) => {
      if (event.key === storageKey) {
        restore();
        showDecisions(new Set(shown));
        showProgress();
      }
    });
    // On a wide screen there is room for all; on a phone pictures come first.
    const isWide = window.matchMedia("(min-width: 1001px)").matches;
    for (const panel of document.querySelectorAll("aside details")) {
      panel.open = isWide;
    }
  }

  restore();
  startThreshold();
  startMatrix();
  fillFilters();
  startGrid();
  startButtons();
  refresh();
  document.documentElement.dataset.ready = "true";
})();

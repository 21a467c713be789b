// What the tests ask of a page of JupyterLab: each page has these functions as `course`.

window.course = (() => {
    const current = () => window.jupyterapp.shell.currentWidget;
    const pause = ms => new Promise(done => setTimeout(done, ms));

    const until = async (ready, ms) => {
        for (const end = performance.now() + ms; !ready() && performance.now() < end; ) await pause(20);
        return ready();
    };

    // the time of the first change of an element after which it is ready
    const changed = (element, ready = () => true) =>
        new Promise(done => {
            const watch = new MutationObserver(() => {
                if (!ready()) return;
                watch.disconnect();
                done(performance.now());
            });
            watch.observe(element, { childList: true, subtree: true, characterData: true });
        });

    // milliseconds from a click to the first change of what is shown, by the page's own clock
    const click = async (button, shown) => {
        const seen = changed(shown);
        const started = performance.now();
        button.click();
        return (await seen) - started;
    };

    // begins to wait for the first letter of an answer; `first.letter` is the milliseconds from Enter to it
    const first = {};
    const watchForLetter = shown => {
        let pressed = null;
        const seen = event => {
            if (event.key === "Enter") pressed = performance.now();
        };
        document.addEventListener("keydown", seen, { capture: true, once: true });
        first.letter = changed(shown, () => /assistant:\s*[^\s…]/.test(shown.innerText)).then(time => time - pressed);
    };

    // another notebook in this window, without a kernel; the one before is closed
    const open = async path => {
        const before = current();
        if (before?.context?.path === path) return;
        const noKernel = { shouldStart: false, canStart: false, autoStartDefault: false };
        const options = { path, factory: "Notebook", kernelPreference: noKernel };
        const opened = await window.jupyterapp.commands.execute("docmanager:open", options);
        if (before?.context) before.context.model.dirty = false; // else it asks whether to save
        before?.close();
        await opened.context.ready;
        await opened.revealed;
    };

    const TEX = /\$\$|\$[^$\n]+\$|\\(frac|sum|text|log|left|mathbb|cdot)\b/;
    const withoutCode = text => {
        const copy = text.cloneNode(true);
        copy.querySelectorAll("code, pre, mjx-container, script, style").forEach(part => part.remove());
        return copy.textContent;
    };

    // what is wrong with a cell that is in sight, and how many formulas it has
    const look = async (cell, number) => {
        const found = [];
        const markdown = cell.model.type === "markdown";
        const words = () => cell.node.querySelector(".jp-RenderedMarkdown");
        const drawn = () => (markdown ? words()?.textContent : cell.node.querySelector(".cm-line"));
        if (!(await until(drawn, 60_000))) return { found: [`cell ${number} is not drawn`], formulas: 0 };
        if (markdown) {
            // formulas are set a moment later
            if (!(await until(() => !TEX.test(withoutCode(words())), 60_000)))
                found.push("raw LaTeX: " + withoutCode(words()).slice(0, 200));
            if (words().querySelector("mjx-merror, [data-mjx-error]"))
                found.push("a formula that cannot be set: " + words().innerText.slice(0, 200));
        }
        for (const picture of cell.node.querySelectorAll("img"))
            if (!(await until(() => picture.complete, 60_000)) || !picture.naturalWidth)
                found.push("a picture is missing: " + picture.src.slice(0, 120));
        for (const error of cell.node.querySelectorAll('[data-mime-type$="error"], [data-mime-type$="stderr"]'))
            found.push("an error: " + error.innerText.slice(0, 200));
        return { found, formulas: markdown ? words().querySelectorAll("mjx-container").length : 0 };
    };

    // scrolls through the notebook, waits until JupyterLab has drawn what is in sight (it draws nothing else), and
    // looks at each cell
    const lookAtAll = async () => {
        const cells = current().content.widgets;
        const box = current().node.querySelector(".jp-WindowedPanel-outer");
        const found = new Set();
        const seen = new Set();
        let formulas = 0;
        const inSight = cell => {
            const edge = box.getBoundingClientRect();
            const place = cell.node.getBoundingClientRect();
            return cell.node.isConnected && place.height && place.bottom > edge.top && place.top < edge.bottom;
        };
        for (const [next, cell] of cells.entries()) {
            if (seen.has(next)) continue;
            // JupyterLab draws what is near; where a busy machine has lost the place, a little further down is
            for (let tries = 0; tries < 60 && !(await until(() => cell.node.isConnected, 1000)); tries++)
                box.scrollTop += 100;
            if (!cell.node.isConnected) {
                found.add(`cell ${next} is not on the page`);
                continue;
            }
            cell.node.scrollIntoView({ block: "start" });
            await pause(60);
            for (const [number, other] of cells.entries()) {
                if (seen.has(number) || !inSight(other)) continue;
                const looked = await look(other, number);
                looked.found.forEach(line => found.add(line));
                formulas += looked.formulas;
                seen.add(number);
            }
        }
        return { found: [...found], formulas, seen: seen.size };
    };

    return { click, first, watchForLetter, open, lookAtAll };
})();

//! The layout of the panels. They can be dragged, and the layout is remembered.

use super::app_state::AppState;
use super::commands::run::run;
use super::panels::{PanelKind, Panels};
use super::platform;
use super::theme::GRID;
use eframe::egui::{self, Color32, Stroke, Visuals};
use egui_tiles::{Behavior, Container, Linear, LinearDir, TabState, Tile, TileId, Tiles, Tree};
use std::collections::HashSet;

/// All panels at their original places.
pub(super) fn tree() -> Tree<PanelKind> {
    let mut tiles = Tiles::default();
    let mut tabs = |panels: &[PanelKind]| {
        let panels = panels.iter().filter(|panel| has_panel(**panel));
        let panes = panels.map(|&panel| tiles.insert_pane(panel));
        let panes = panes.collect::<Vec<_>>();
        tiles.insert_tab_tile(panes)
    };
    let centre = tabs(&[
        PanelKind::Canvas,
        PanelKind::Field,
        PanelKind::Runs,
        PanelKind::Race,
    ]);
    let above = tabs(&[
        PanelKind::Classes,
        PanelKind::Photos,
        PanelKind::Model,
        PanelKind::Compare,
    ]);
    let below = tabs(&[
        PanelKind::Pixel,
        PanelKind::Charts,
        PanelKind::Network,
        PanelKind::Lessons,
    ]);
    let side = tiles.insert_container(Linear::new(LinearDir::Vertical, vec![above, below]));
    let mut row = Linear::new(LinearDir::Horizontal, vec![centre, side]);
    // Shares of 1 on average: a panel that is docked beside these gets 1, and so its fair share.
    row.shares.set_share(centre, 1.5);
    row.shares.set_share(side, 0.5);
    let root = tiles.insert_container(row);
    Tree::new(egui::Id::unique("panels"), root, tiles)
}

/// All panels while a lesson is open: the lesson at the side, with the panels `below` under it, and the
/// others in the centre, with `front` in front.
pub(super) fn lesson_tree(front: PanelKind, below: &[PanelKind]) -> Tree<PanelKind> {
    let mut tiles = Tiles::default();
    let mut tabs = |panels: Vec<PanelKind>| {
        let panels = panels.into_iter().filter(|panel| has_panel(*panel));
        let panes = panels.map(|panel| tiles.insert_pane(panel));
        let panes = panes.collect::<Vec<_>>();
        tiles.insert_tab_tile(panes)
    };
    let others = |panel: &PanelKind| *panel != PanelKind::Lessons && !below.contains(panel);
    let centre = tabs(ALL.into_iter().filter(others).collect());
    let mut rows = vec![tabs(vec![PanelKind::Lessons])];
    if !below.is_empty() {
        rows.push(tabs(below.to_vec()));
    }
    let mut side = Linear::new(LinearDir::Vertical, rows.clone());
    side.shares.set_share(rows[0], 2.2);
    let side = tiles.insert_container(side);
    let mut row = Linear::new(LinearDir::Horizontal, vec![centre, side]);
    row.shares.set_share(centre, 1.4);
    row.shares.set_share(side, 0.6);
    let root = tiles.insert_container(row);
    let mut tree = Tree::new(egui::Id::unique("panels"), root, tiles);
    reveal(&mut tree, front);
    tree
}

/// Whether a remembered tree has every panel of this version exactly once below its root, and is a
/// tree: a container that holds itself would be laid out without end.
pub(super) fn is_sound(tree: &Tree<PanelKind>) -> bool {
    let (mut seen, mut panels) = (HashSet::new(), Vec::new());
    let mut left: Vec<TileId> = tree.root.into_iter().collect();
    while let Some(id) = left.pop() {
        if !seen.insert(id) {
            return false;
        }
        match tree.tiles.get(id) {
            Some(Tile::Pane(panel)) => panels.push(*panel),
            Some(Tile::Container(container)) => left.extend(container.children()),
            None => return false,
        }
    }
    let wanted = || ALL.iter().filter(|panel| has_panel(**panel));
    panels.len() == wanted().count() && wanted().all(|panel| panels.contains(panel))
}

const ALL: [PanelKind; 12] = [
    PanelKind::Canvas,
    PanelKind::Field,
    PanelKind::Runs,
    PanelKind::Race,
    PanelKind::Classes,
    PanelKind::Model,
    PanelKind::Photos,
    PanelKind::Compare,
    PanelKind::Pixel,
    PanelKind::Charts,
    PanelKind::Network,
    PanelKind::Lessons,
];

/// Whether the platform has what a panel needs: a page has no folders of runs and no threads to train
/// or to look into the network.
fn has_panel(panel: PanelKind) -> bool {
    platform::DESKTOP
        || !matches!(
            panel,
            PanelKind::Runs | PanelKind::Race | PanelKind::Network
        )
}

/// Brings a panel to the front of its tabs.
pub(super) fn reveal(tree: &mut Tree<PanelKind>, wanted: PanelKind) {
    tree.make_active(|_, tile| *tile == Tile::Pane(wanted));
}

/// Whether a panel is in front of its tabs.
pub(super) fn is_shown(tree: &Tree<PanelKind>, panel: PanelKind) -> bool {
    let tile = tree.tiles.find_pane(&panel);
    tile.is_some_and(|tile| tree.active_tiles().contains(&tile))
}

/// The panels that cover a panel: those that tabs show instead of it, or of a group that it is in.
pub(super) fn covering(tree: &Tree<PanelKind>, panel: PanelKind) -> Vec<PanelKind> {
    let tiles = &tree.tiles;
    let mut in_front = Vec::new();
    let mut below = tiles.find_pane(&panel);
    while let Some(tile) = below {
        below = tiles.parent_of(tile);
        if let Some(Tile::Container(Container::Tabs(tabs))) = below.and_then(|id| tiles.get(id)) {
            in_front.extend(tabs.active.filter(|active| *active != tile));
        }
    }
    let mut panels = Vec::new();
    while let Some(tile) = in_front.pop() {
        match tiles.get(tile) {
            Some(Tile::Pane(panel)) => panels.push(*panel),
            Some(Tile::Container(group)) => in_front.extend(group.active_children(tiles)),
            None => {}
        }
    }
    panels
}

/// Draws the panels, and carries out the commands of each before the next is drawn.
pub(super) struct Dock<'a> {
    pub app: &'a mut AppState,
    pub panels: &'a mut Panels,
}

impl Behavior<PanelKind> for Dock<'_> {
    fn pane_ui(
        &mut self,
        ui: &mut egui::Ui,
        _: TileId,
        kind: &mut PanelKind,
    ) -> egui_tiles::UiResponse {
        let panel = self.panels.get(*kind);
        let mut commands = Vec::new();
        egui::Frame::new()
            .inner_margin(panel.margin())
            .show(ui, |ui| panel.ui(ui, self.app, &mut commands));
        for command in commands {
            run(self.app, ui.ctx(), command);
        }
        egui_tiles::UiResponse::None
    }

    fn tab_title_for_pane(&mut self, kind: &PanelKind) -> egui::WidgetText {
        self.panels.get(*kind).title_in(self.app.texts()).into()
    }

    fn tab_title_for_tile(&mut self, tiles: &Tiles<PanelKind>, tile: TileId) -> egui::WidgetText {
        // The tab of a group shows the titles of all its panels.
        let mut titles = Vec::new();
        let mut open = vec![tile];
        while let Some(tile) = open.pop() {
            match tiles.get(tile) {
                Some(Tile::Pane(kind)) => {
                    titles.push(self.panels.get(*kind).title_in(self.app.texts()));
                }
                Some(Tile::Container(container)) => {
                    open.extend(
                        container
                            .children()
                            .copied()
                            .collect::<Vec<_>>()
                            .iter()
                            .rev(),
                    );
                }
                None => {}
            }
        }
        titles.join(", ").into()
    }

    fn simplification_options(&self) -> egui_tiles::SimplificationOptions {
        egui_tiles::SimplificationOptions {
            // A single panel keeps its tab, so that it can be dragged.
            all_panes_must_have_tabs: true,
            ..Default::default()
        }
    }

    fn tab_bar_height(&self, _: &egui::Style) -> f32 {
        3.5 * GRID
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        2.0
    }

    fn min_size(&self) -> f32 {
        15.0 * GRID
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> Color32 {
        visuals.extreme_bg_color
    }

    fn tab_bg_color(
        &self,
        visuals: &Visuals,
        _: &Tiles<PanelKind>,
        _: TileId,
        state: &TabState,
    ) -> Color32 {
        if state.active {
            visuals.panel_fill
        } else {
            Color32::TRANSPARENT
        }
    }

    fn tab_outline_stroke(
        &self,
        _: &Visuals,
        _: &Tiles<PanelKind>,
        _: TileId,
        _: &TabState,
    ) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(
        &self,
        visuals: &Visuals,
        _: &Tiles<PanelKind>,
        _: TileId,
        state: &TabState,
    ) -> Color32 {
        if state.active {
            visuals.strong_text_color()
        } else {
            visuals.weak_text_color()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_tree_is_sound_and_incomplete_ones_are_not() {
        let mut tree = tree();
        assert!(is_sound(&tree));
        for below in [&[][..], &[PanelKind::Pixel, PanelKind::Charts]] {
            assert!(is_sound(&lesson_tree(PanelKind::Field, below)));
        }
        let mut endless = tree.clone();
        let root = endless.root.unwrap();
        match endless.tiles.get_mut(root) {
            Some(Tile::Container(container)) => container.add_child(root),
            other => panic!("{other:?}"),
        }
        assert!(!is_sound(&endless));
        let id = tree.tiles.find_pane(&PanelKind::Charts).unwrap();
        tree.remove_recursively(id);
        assert!(!is_sound(&tree));
        assert!(!is_sound(&Tree::empty(egui::Id::unique("empty"))));
    }

    #[test]
    fn a_panel_beside_others_is_not_in_front_of_them() {
        let mut tree = tree();
        reveal(&mut tree, PanelKind::Runs);
        let front = |tree: &Tree<PanelKind>| covering(tree, PanelKind::Canvas);
        assert_eq!(front(&tree), [PanelKind::Runs]);
        let runs = tree.tiles.find_pane(&PanelKind::Runs).unwrap();
        tree.move_tile_to_container(runs, tree.root.unwrap(), 0, false);
        reveal(&mut tree, PanelKind::Field);
        assert_eq!(front(&tree), [PanelKind::Field]);
        assert!(is_shown(&tree, PanelKind::Runs));
        reveal(&mut tree, PanelKind::Canvas);
        assert_eq!(front(&tree), []);
    }

    #[test]
    fn a_group_is_covered_with_all_of_its_panels() {
        let mut tiles = Tiles::default();
        let [canvas, field, runs, race] = [
            PanelKind::Canvas,
            PanelKind::Field,
            PanelKind::Runs,
            PanelKind::Race,
        ]
        .map(|panel| tiles.insert_pane(panel));
        let canvas = tiles.insert_tab_tile(vec![canvas]);
        let beside =
            tiles.insert_container(Linear::new(LinearDir::Horizontal, vec![canvas, field]));
        let in_front = tiles.insert_tab_tile(vec![runs, race]);
        let root = tiles.insert_tab_tile(vec![beside, in_front]);
        let mut tree = Tree::new(egui::Id::unique("nested"), root, tiles);
        reveal(&mut tree, PanelKind::Race);
        for panel in [PanelKind::Canvas, PanelKind::Field] {
            assert_eq!(covering(&tree, panel), [PanelKind::Race], "{panel:?}");
        }
        reveal(&mut tree, PanelKind::Canvas);
        assert_eq!(covering(&tree, PanelKind::Canvas), []);
        let over_race = covering(&tree, PanelKind::Race);
        assert_eq!(over_race, [PanelKind::Field, PanelKind::Canvas]);
    }
}

//! Supervision of training besides the labels: the teacher and class weights.

use super::TrainError;
use super::config::Config;
use super::repa::{Projector, Teacher};
use crate::data::{Dataset, balance};
use burn::tensor::Device;

#[derive(Default)]
pub struct Supervision {
    pub teacher: Option<Teacher>,
    /// The weight of each class in the loss; `None` means 1 for all.
    pub class_weights: Option<Vec<f32>>,
}

impl Supervision {
    /// Loads the teacher that a configuration names onto a device.
    ///
    /// # Errors
    /// If the file cannot be read or contains something else.
    pub(super) fn open(config: &Config, device: &Device) -> Result<Self, TrainError> {
        let teacher = config.repa.teacher.as_ref();
        Ok(Self {
            teacher: teacher
                .map(|path| Teacher::open(path, None, device))
                .transpose()?,
            class_weights: None,
        })
    }

    /// Applies the settings of a stage.
    ///
    /// # Errors
    /// If a cache folder cannot be created.
    pub(super) fn enter(&mut self, config: &Config, data: &Dataset) -> Result<(), TrainError> {
        let exponent = config.loss.class_balance;
        self.class_weights = (exponent > 0.0).then(|| {
            let shown = data.weighted(&config.data.weights);
            balance::class_weights(&shown, exponent)
        });
        match &mut self.teacher {
            None => Ok(()),
            Some(teacher) => teacher.set_cache(config.repa.cache.as_deref()),
        }
    }

    /// A fresh projector from tokens of width `from` to the teacher's.
    pub(super) fn projector(
        &self,
        config: &Config,
        from: usize,
        device: &Device,
    ) -> Option<Projector> {
        let teacher = self.teacher.as_ref()?;
        let (hidden, seed) = (config.repa.projector_width, config.train.seed);
        let training = device.clone().autodiff();
        Some(Projector::new(
            from,
            hidden,
            teacher.width(),
            seed,
            &training,
        ))
    }
}
